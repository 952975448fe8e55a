"""Component for Kyverno."""

from components.system import Controllers


class Kyverno(Controllers):
    """Kyverno's admission controller and its kinds of policies; no policy."""

    TOKEN = "slipway:kyverno:Kyverno"
