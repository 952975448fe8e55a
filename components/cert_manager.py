"""Component for cert-manager; on EKS cert-manager is an add-on instead."""

from components.system import Controllers


class CertManager(Controllers):
    """cert-manager's controllers and definitions."""

    TOKEN = "slipway:cert_manager:CertManager"
