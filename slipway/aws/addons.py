"""Which EKS add-ons a cluster has."""

from __future__ import annotations

import json

#: Without these no node becomes Ready.
FIRST = ("eks-pod-identity-agent", "kube-proxy", "vpc-cni")
#: Their pods need nodes to run on.
AFTER_NODES = ("aws-ebs-csi-driver", "cert-manager", "coredns", "metrics-server")

#: Network policies are only enforced if the CNI is told to (EKS user guide, "Kubernetes network policies").
_CONFIGURATION = {"vpc-cni": {"enableNetworkPolicy": "true"}}


def configuration(addon: str) -> str | None:
    """Return the settings that differ from an add-on's own."""
    settings = _CONFIGURATION.get(addon)
    return json.dumps(settings, sort_keys=True) if settings else None
