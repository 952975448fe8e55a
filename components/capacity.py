"""Component for node and volume provisioning on AWS."""

from components.system import System


class Capacity(System):
    """The cluster autoscaler and the default storage class."""

    TOKEN = "slipway:capacity:Capacity"
