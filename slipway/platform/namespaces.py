"""How strictly the policies take a namespace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from slipway import names

#: A namespace without this label is enforced: forgetting it must not open anything.
STAGE_LABEL = f"{names.PREFIX}stage"

#: `audit` reports and warns what `enforce` refuses.
Stage = Literal["audit", "enforce"]

AUDIT: Stage = "audit"
ENFORCE: Stage = "enforce"

#: What pods are held to by Kubernetes itself, whatever policies there are: nothing privileged, no host's paths.
POD_SECURITY: Mapping[str, str] = {
    "pod-security.kubernetes.io/enforce": "baseline",
    "pod-security.kubernetes.io/warn": "restricted",
}


def namespace(name: str, stage: Stage, pod_security: Mapping[str, str] = POD_SECURITY) -> dict[str, Any]:
    """Declare a namespace of ours."""
    labels = {STAGE_LABEL: stage, **pod_security}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
