"""Kyverno in an environment's cluster."""

from components.system import Controllers


class Kyverno(Controllers):
    """The admission controller with the kinds of policies that it knows; no policy."""

    TOKEN = "slipway:kyverno:Kyverno"
