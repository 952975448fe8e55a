"""Image table of the platform's parts: binaries that are built on demand."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import slipway
from slipway.objects import Object

#: Names of Argo CD's one binary in its image; it acts according to its name.
ARGOCD = (
    "argocd",
    "argocd-application-controller",
    "argocd-applicationset-controller",
    "argocd-cmp-server",
    "argocd-git-ask-pass",
    "argocd-k8s-auth",
    "argocd-notifications",
    "argocd-repo-server",
    "argocd-server",
)

#: Image of this project: the checkout that runs the lab.
OWN_IMAGE = "slipway.dev/slipway:checkout"


def platform_images(place: Callable[[str], Path]) -> dict[str, Object]:
    """Return the parts' table, ready for JSON; an image whose binary is not built yet is refused upon use.

    Args:
        place: Returns the path of a binary or an environment, built or not.
    """
    redis, logins, feast = place("redis-server"), str(place("flask_wtf").parent), str(place("feast"))
    return {
        # By tag as by digest: tools/kyverno pins the version that runs.
        "*/kyverno/kyvernopre[:@]*": _binary(place("kyverno-init"), "/ko-app/kyverno-init"),
        "*/kyverno/kyverno[:@]*": _binary(place("kyverno"), "/ko-app/kyverno"),
        "*/kyverno/reports-controller[:@]*": _binary(place("kyverno-reports"), "/ko-app/reports-controller"),
        "*/argoproj/argocd[:@]*": {
            "files": {
                **{f"/usr/local/bin/{name}": str(place("argocd")) for name in ARGOCD},
                "/usr/local/bin/helm": str(place("helm")),
            },
            # The machine may have no gpg; without it no commit's signature is checked.
            "env": {"ARGOCD_GPG_ENABLED": "false"},
        },
        "*/kube-state-metrics[:@]*": _binary(place("kube-state-metrics"), "/usr/local/bin/kube-state-metrics"),
        "*/mlflow/mlflow[:@]*": {
            "venv": sys.prefix,
            "env": {"PYTHONPATH": logins, "MLFLOW_DISABLE_TELEMETRY": "true"},
            # Mounted, since a pod's own /tmp may hide them.
            "files": {path: path for path in (sys.prefix, logins)},
        },
        "*/feastdev/feature-server[:@]*": {"venv": feast, "files": {feast: feast}},
        "*/redis[:@]*": {"entrypoint": ["redis-server"], "files": {"/usr/local/bin/redis-server": str(redis)}},
        # Beside the servers of a model whose payloads are sent.
        "kserve/agent[:@]*": _binary(place("kserve-agent"), "/ko-app/agent"),
        "*/prometheus/prometheus[:@]*": _binary(place("prometheus"), "/bin/prometheus"),
        "*/prometheus/alertmanager[:@]*": _binary(place("alertmanager"), "/bin/alertmanager"),
        OWN_IMAGE: {
            "venv": sys.prefix,
            "env": {"PYTHONPATH": "/opt/slipway"},
            "files": {"/opt/slipway/slipway": str(Path(slipway.__file__).parent)},
        },
    }


def _binary(binary: Path, at: str) -> Object:
    """Return an image with one binary as entry point, at its path in the real image."""
    return {"entrypoint": [at], "files": {at: str(binary)}}
