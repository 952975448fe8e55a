"""Argo CD's access rules and notifications."""

from __future__ import annotations

import json

from slipway.settings.argocd import Access, Notifications

#: AppProject of the models.
MODELS = "ml-models"
#: AppProject of the platform's Applications.
PLATFORM = "ml-platform"


def oidc(access: Access) -> dict[str, str]:
    """Return the settings of the identity provider."""
    sso = access.single_sign_on
    if sso is None:
        return {}
    config = {
        "name": "SSO",
        "issuer": sso.issuer,
        "clientID": sso.client_id,
        "clientSecret": sso.client_secret,
        "requestedScopes": ["openid", "profile", "email", "groups"],
    }
    return {"url": sso.url, "oidc.config": json.dumps(config)}


def policy(access: Access) -> dict[str, str]:
    """Return the role assignments; users without one have no rights."""
    roles = (("admin", access.admins), ("readonly", access.viewers))
    lines = [f"g, {group}, role:{role}" for role, groups in roles for group in groups]
    return {"policy.default": "", "policy.csv": "".join(f"{line}\n" for line in lines), "scopes": "[groups]"}


def deployer(project: str, groups: tuple[str, ...]) -> dict[str, object]:
    """Return the project role that may read Applications and sync them, and nothing else."""
    rights = [f"p, proj:{project}:deployer, applications, {verb}, {project}/*, allow" for verb in ("get", "sync")]
    return {"name": "deployer", "description": "Looks, delivers again.", "policies": rights, "groups": list(groups)}


def notification_data(settings: Notifications) -> dict[str, str]:
    """Return the notifications, each sent once for a commit."""
    events = {
        "delivered": "app.status.operationState.phase in ['Succeeded'] and app.status.health.status == 'Healthy'",
        "delivery-failed": "app.status.operationState.phase in ['Error', 'Failed']",
        "degraded": "app.status.health.status == 'Degraded'",
    }
    body = {
        "application": "{{.app.metadata.name}}",
        "revision": "{{.app.status.sync.revision}}",
        "health": "{{.app.status.health.status}}",
        "message": "@",
    }
    # The message may contain quotes.
    message = '{{with .app.status.operationState}}{{.message | toJson}}{{else}}""{{end}}'
    data = {
        "service.webhook.slipway": json.dumps(
            {"url": settings.webhook, "headers": [{"name": "Content-Type", "value": "application/json"}]}
        ),
        "subscriptions": json.dumps([{"recipients": ["slipway"], "triggers": sorted(events)}]),
    }
    for event, when in events.items():
        sent = json.dumps({"event": event, **body}).replace('"@"', message)
        trigger = {"when": when, "oncePer": "app.status.operationState.syncResult.revision", "send": [event]}
        data[f"trigger.{event}"] = json.dumps([trigger])
        data[f"template.{event}"] = json.dumps({"webhook": {"slipway": {"method": "POST", "body": sent}}})
    return data
