"""Whom Alertmanager tells what: one route for each tier."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.objects import Object
from slipway.platform.tiers import ORDER
from slipway.settings.monitoring import Means, Tier

#: Where the Secret with the receivers' addresses is seen: one file for each tier.
SECRETS = "/etc/alertmanager/secrets"
#: How soon the first of a group is told, and how often what still holds is told again.
_PACE: Mapping[Tier, tuple[str, str]] = {"page": ("10s", "1h"), "ticket": ("1m", "12h"), "notice": ("10m", "3d")}
RETRAINING = "retraining"


def configuration(receivers: Mapping[Tier, Means], retraining_url: str | None) -> Object:
    """Return Alertmanager's configuration.

    Args:
        receivers: How each tier is told; one that is not named is only seen in Alertmanager.
        retraining_url: Who is told of drifted inputs besides, to train anew; None tells nobody.
    """
    retrain = [{"receiver": RETRAINING, "matchers": ['alertname="InputsDrifted"'], "continue": True}]
    routes = [*(retrain if retraining_url else []), *map(_route, ORDER)]
    told = [{"name": tier, **_means(tier, receivers.get(tier))} for tier in ORDER]
    if retraining_url:
        told.append({"name": RETRAINING, "webhook_configs": [{"url": retraining_url, "send_resolved": False}]})
    return {
        # What names no tier is none of ours: it is looked at like a ticket rather than lost.
        "route": {"receiver": "ticket", "group_by": ["alertname", "namespace", "model"], "routes": routes},
        "receivers": told,
        "inhibit_rules": [
            # A page about a model says it all: its slowness, its missing replicas follow from it. Not that a rollout
            # was taken back, which is what whoever is woken needs to know. Labels that both lack count as equal:
            # without the second matcher the gateway's page would hide everything that names no model.
            {
                "source_matchers": ['tier="page"', 'model!=""'],
                "target_matchers": ['tier!="page"', 'impact="users"'],
                "equal": ["namespace", "model"],
            },
            # Nobody can ask a model that nobody can reach.
            {"source_matchers": ['alertname="GatewayDown"'], "target_matchers": ['alertname="ModelUnasked"']},
        ],
    }


def _route(tier: Tier) -> Object:
    wait, again = _PACE[tier]
    return {"receiver": tier, "matchers": [f'tier="{tier}"'], "group_wait": wait, "repeat_interval": again}


def _means(tier: Tier, means: Means | None) -> Object:
    file = f"{SECRETS}/{tier}"
    text = "{{ range .Alerts }}{{ .Annotations.summary }}\n{{ .Annotations.then }}\n{{ end }}"
    if means == "pagerduty":
        severity = "critical" if tier == "page" else "warning"
        return {"pagerduty_configs": [{"routing_key_file": file, "severity": severity}]}
    if means == "slack":
        return {"slack_configs": [{"api_url_file": file, "text": text, "send_resolved": True}]}
    return {"webhook_configs": [{"url_file": file}]} if means == "webhook" else {}
