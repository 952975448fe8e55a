"""Component for Flagger; it needs the definitions of Gateway API, which `Gateway` installs."""

from components.system import Controllers


class Flagger(Controllers):
    """Flagger's controller and definitions."""

    TOKEN = "slipway:flagger:Flagger"
