"""Who may do what in Argo CD, who is told what."""

from __future__ import annotations

import json

from slipway.settings.argocd import Access, Notifications

#: AppProject of the models.
MODELS = "ml-models"
#: AppProject of what stands under them.
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
    """Return who may do what; the default role is none."""
    roles = (("admin", access.admins), ("readonly", access.viewers))
    lines = [f"g, {group}, role:{role}" for role, groups in roles for group in groups]
    return {"policy.default": "", "policy.csv": "".join(f"{line}\n" for line in lines), "scopes": "[groups]"}


def deployer(project: str, groups: tuple[str, ...]) -> dict[str, object]:
    """Return the role of a project that may look at it, and have it delivered again; nothing else."""
    rights = [f"p, proj:{project}:deployer, applications, {verb}, {project}/*, allow" for verb in ("get", "sync")]
    return {"name": "deployer", "description": "Looks, delivers again.", "policies": rights, "groups": list(groups)}


def notification_data(settings: Notifications) -> dict[str, str]:
    """Return what is told, when, to whom; each thing once for each commit."""
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
    # What went wrong may hold quotes of its own.
    message = '{{with .app.status.operationState}}{{.message | toJson}}{{else}}""{{end}}'
    data = {
        "service.webhook.slipway": json.dumps(
            {"url": settings.webhook, "headers": [{"name": "Content-Type", "value": "application/json"}]}
        ),
        "subscriptions": json.dumps([{"recipients": ["slipway"], "triggers": sorted(events)}]),
    }
    for event, when in events.items():
        told = json.dumps({"event": event, **body}).replace('"@"', message)
        trigger = {"when": when, "oncePer": "app.status.operationState.syncResult.revision", "send": [event]}
        data[f"trigger.{event}"] = json.dumps([trigger])
        data[f"template.{event}"] = json.dumps({"webhook": {"slipway": {"method": "POST", "body": told}}})
    return data
