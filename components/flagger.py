"""Flagger in an environment's cluster; it needs the definitions of Gateway API, which `Gateway` installs."""

from components.system import Controllers


class Flagger(Controllers):
    """The controller with its definitions."""

    TOKEN = "slipway:flagger:Flagger"
