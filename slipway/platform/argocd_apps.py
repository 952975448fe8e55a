"""Argo CD's projects, Applications and their limits."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.objects import Object
from slipway.platform.argocd_access import MODELS, PLATFORM, deployer
from slipway.platform.workloads import manifest
from slipway.settings.argocd import Access, ApplicationSource
from slipway.settings.environment import Environment
from slipway.settings.gitops import GitOps

NAMESPACE = "argocd"
API = "argoproj.io/v1alpha1"
#: Kinds that a model's files may contain; Argo CD refuses all others.
KINDS = (
    ("", "Service"),
    ("flagger.app", "Canary"),
    ("flagger.app", "MetricTemplate"),
    ("serving.kserve.io", "InferenceService"),
)
#: Kinds that no team's files may contain: credentials, and kinds that would extend the team's rights.
FORBIDDEN = (("", "Secret"), ("rbac.authorization.k8s.io", "Role"), ("rbac.authorization.k8s.io", "RoleBinding"))
#: Without ApplyOutOfSyncOnly: it would skip waves of unchanged objects, so a target could move to servers that never
#: became ready.
OPTIONS = ("ServerSideApply=true", "FailOnSharedResource=true", "PruneLast=true")
RETRY = {"limit": 3, "backoff": {"duration": "10s", "factor": 2, "maxDuration": "2m"}}


def compile_applications(
    applications: Mapping[str, ApplicationSource], destination: str, access: Access, environment: Environment
) -> tuple[Object, ...]:
    """Compile the configured Applications and, if models come by Git, one Application for each model."""
    found: list[Object] = []
    gitops = environment.gitops
    if environment.delivery == "gitops" and gitops:
        kinds = {"namespaceResourceWhitelist": _kinds(KINDS)}
        found.append(_project(MODELS, {gitops.repository}, {environment.namespace}, destination, access, kinds))
        found.append(_model_serving(gitops, destination, environment))
    if applications:
        repositories = {each.repository for each in applications.values()}
        namespaces = {each.namespace for each in applications.values()}
        kinds = {"namespaceResourceBlacklist": _kinds(FORBIDDEN)}
        found.append(_project(PLATFORM, repositories, namespaces, destination, access, kinds))
    for name, each in sorted(applications.items()):
        spec = {
            "project": PLATFORM,
            "source": {"repoURL": each.repository, "targetRevision": each.revision, "path": each.path},
            "destination": {"server": destination, "namespace": each.namespace},
            "syncPolicy": _sync_policy(prune=each.prune),
        }
        found.append(_object("Application", name, spec))
    return tuple(found)


def _project(
    name: str, repositories: set[str], namespaces: set[str], destination: str, access: Access, kinds: Object
) -> Object:
    spec = {
        "sourceRepos": sorted(repositories),
        "destinations": [{"server": destination, "namespace": each} for each in sorted(namespaces)],
        "clusterResourceWhitelist": [],
        **kinds,
        "roles": [deployer(name, access.deployers)],
    }
    return _object("AppProject", name, spec)


def _model_serving(gitops: GitOps, destination: str, environment: Environment) -> Object:
    """Return the ApplicationSet with one Application for each model directory, so that models sync independently."""
    directories = [
        {"path": f"{gitops.directory}/{stack}/{kind}/*"}
        for stack in gitops.stacks or (environment.name,)
        for kind in ("models", "shared")
    ]
    # After the stack's: models or shared.
    kind_of_directory = len(gitops.directory.split("/")) + 1
    source = {"repoURL": gitops.repository, "revision": gitops.revision}
    template = {
        "metadata": {
            "name": f"{{{{index .path.segments {kind_of_directory}}}}}-{{{{.path.basename}}}}",
            # Commits that change other models do not sync this one.
            "annotations": {"argocd.argoproj.io/manifest-generate-paths": "."},
            # With the finalizer, deleting an Application deletes its objects.
            "finalizers": [] if environment.protect else ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {
            "project": MODELS,
            "source": {"repoURL": gitops.repository, "targetRevision": gitops.revision, "path": "{{.path.path}}"},
            "destination": {"server": destination, "namespace": environment.namespace},
            "syncPolicy": _sync_policy(prune=True),
        },
    }
    spec = {
        "goTemplate": True,
        "goTemplateOptions": ["missingkey=error"],
        "generators": [{"git": {**source, "directories": directories}}],
        # A directory that is removed by mistake must not delete a protected model.
        "syncPolicy": {
            "applicationsSync": "create-update" if environment.protect else "sync",
            "preserveResourcesOnDeletion": environment.protect,
        },
        "template": template,
    }
    return _object("ApplicationSet", "model-serving", spec)


def _sync_policy(*, prune: bool) -> Object:
    return {"automated": {"prune": prune, "selfHeal": True}, "syncOptions": list(OPTIONS), "retry": RETRY}


def _object(kind: str, name: str, spec: Object) -> Object:
    return manifest(API, kind, name, NAMESPACE, spec=spec)


def _kinds(kinds: tuple[tuple[str, str], ...]) -> list[dict[str, str]]:
    return [{"group": group, "kind": kind} for group, kind in kinds]
