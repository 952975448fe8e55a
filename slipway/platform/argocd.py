"""Compiler of Argo CD's manifests and settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from slipway.objects import Object
from slipway.platform.argocd_access import notification_data, oidc, policy
from slipway.platform.argocd_apps import compile_applications
from slipway.platform.charts import in_namespace
from slipway.platform.context import Context
from slipway.platform.secrets import external_secret
from slipway.policy.stages import namespace
from slipway.settings.argocd import ArgoCdSettings
from slipway.settings.policies import AUDIT

NAMESPACE = "argocd"
MANIFESTS = "github.com/argoproj/argo-cd/v3/manifests"
HEALTH = Path(__file__).with_name("health")
#: Argo CD connects to the identity provider directly; Dex would be one more server.
DEX = "argocd-dex-server"
NOTIFICATIONS = "argocd-notifications"


def compile_argocd(settings: ArgoCdSettings, context: Context) -> tuple[Object, ...]:
    """Compile the manifests of the pinned release with the environment's settings and Applications.

    Raises:
        SlipwayError: Credentials are in a secret store that the environment does not install.
    """
    file = f"{MANIFESTS}/{'ha/' if settings.high_availability else ''}install.yaml"
    unused = (DEX,) if settings.notifications else (DEX, NOTIFICATIONS)
    found = [each for each in context.charts.read(file) if not each["metadata"]["name"].startswith(unused)]
    data = own_settings(settings)
    objects = [_with_data(each, data) for each in found]
    return (
        namespace(NAMESPACE, AUDIT),
        *(in_namespace(each, NAMESPACE) for each in objects),
        *_credentials(settings, context),
        *compile_applications(settings.applications, settings.destination, settings.access, context.environment),
    )


def own_settings(settings: ArgoCdSettings) -> dict[str, dict[str, str]]:
    """Return the entries that are added to each ConfigMap."""
    health = {
        f"resource.customizations.health.{kind}": (HEALTH / f"{kind.rpartition('_')[2].lower()}.lua").read_text()
        for kind in ("flagger.app_Canary", "serving.kserve.io_InferenceService")
    }
    access = settings.access
    own = {
        "admin.enabled": json.dumps(access.admin_account),
        "application.resourceTrackingMethod": "annotation",
        "timeout.reconciliation": f"{settings.poll_seconds}s",
        **oidc(access),
        **health,
    }
    parameters = {
        # Diffs are computed by the API server, so defaults of KServe's webhook are not differences.
        "controller.diff.server.side": "true",
        "controller.sync.timeout.seconds": str(settings.sync_timeout_seconds),
    }
    found = {"argocd-cm": own, "argocd-cmd-params-cm": parameters, "argocd-rbac-cm": policy(access)}
    if settings.notifications:
        found["argocd-notifications-cm"] = notification_data(settings.notifications)
    return found


def _with_data(each: Object, data: Mapping[str, Mapping[str, str]]) -> Object:
    more = data.get(each["metadata"]["name"]) if each["kind"] == "ConfigMap" else None
    return {**each, "data": {**(each.get("data") or {}), **more}} if more else each


def _credentials(settings: ArgoCdSettings, context: Context) -> Iterator[Object]:
    if settings.credentials is None:
        return
    if context.environment.platform.secrets is None:
        problem = f"{settings.credentials} is in a secret store, but platform.secrets is not set; set it, or make the"
        raise context.error("argocd.credentials", f"{problem} Secret yourself")
    wanted = external_secret(NAMESPACE, "manifests-repository", settings.credentials)
    # Argo CD finds repository credentials by this label.
    labels = {"argocd.argoproj.io/secret-type": "repository"}
    wanted["spec"]["target"]["template"] = {"engineVersion": "v2", "metadata": {"labels": labels}}
    yield wanted
