"""The kubeconfig of an EKS cluster."""

from __future__ import annotations

import json


def kubeconfig(cluster: str, region: str, endpoint: str, certificate_authority: str) -> str:
    """Return a kubeconfig that authenticates with the AWS CLI; it holds no secret. The CA certificate is base64."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "aws",
        "args": ["--region", region, "eks", "get-token", "--cluster-name", cluster, "--output", "json"],
        "interactiveMode": "Never",
        "installHint": "install the AWS CLI, version 2",
    }
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": cluster,
        "contexts": [{"name": cluster, "context": {"cluster": cluster, "user": cluster}}],
        "clusters": [
            {"name": cluster, "cluster": {"server": endpoint, "certificate-authority-data": certificate_authority}}
        ],
        "users": [{"name": cluster, "user": {"exec": plugin}}],
    }
    return json.dumps(config)
