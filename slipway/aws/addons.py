"""EKS add-ons of a cluster."""

from __future__ import annotations

import json

#: Without these no node becomes Ready.
FIRST = ("eks-pod-identity-agent", "kube-proxy", "vpc-cni")
#: Their pods need nodes to run on.
AFTER_NODES = ("aws-ebs-csi-driver", "cert-manager", "coredns", "metrics-server")

#: Network policies are only enforced if the CNI enables them (EKS user guide, "Kubernetes network policies").
_CONFIGURATION = {"vpc-cni": {"enableNetworkPolicy": "true"}}


def configuration(addon: str) -> str | None:
    """Return the settings that differ from an add-on's defaults."""
    settings = _CONFIGURATION.get(addon)
    return json.dumps(settings, sort_keys=True) if settings else None
