"""cert-manager in an environment's cluster; on EKS it is an add-on instead."""

from components.system import Controllers


class CertManager(Controllers):
    """The controllers with their definitions."""

    TOKEN = "slipway:cert_manager:CertManager"
