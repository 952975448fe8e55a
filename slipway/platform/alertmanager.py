"""Alertmanager's configuration: one route for each tier."""

from __future__ import annotations

from collections.abc import Mapping

from slipway.objects import Object
from slipway.platform.tiers import ORDER
from slipway.settings.monitoring import Means, Tier

#: Mount path of the Secret with the receivers' addresses, one file for each tier.
SECRETS = "/etc/alertmanager/secrets"
#: Delay of a group's first notification, and the interval of repetitions, by tier.
_PACE: Mapping[Tier, tuple[str, str]] = {"page": ("10s", "1h"), "ticket": ("1m", "12h"), "notice": ("10m", "3d")}
RETRAINING = "retraining"


def configuration(receivers: Mapping[Tier, Means], retraining_url: str | None) -> Object:
    """Return Alertmanager's configuration.

    Args:
        receivers: Receiver of each tier; alerts of a tier without one are only shown in Alertmanager.
        retraining_url: Webhook that also gets alerts of drifted inputs, to retrain the model; None sends none.
    """
    retrain = [{"receiver": RETRAINING, "matchers": ['alertname="InputsDrifted"'], "continue": True}]
    routes = [*(retrain if retraining_url else []), *map(_route, ORDER)]
    named = [{"name": tier, **_means(tier, receivers.get(tier))} for tier in ORDER]
    if retraining_url:
        named.append({"name": RETRAINING, "webhook_configs": [{"url": retraining_url, "send_resolved": False}]})
    return {
        # An alert without a tier is not one of the program's own; it becomes a ticket rather than being dropped.
        "route": {"receiver": "ticket", "group_by": ["alertname", "namespace", "model"], "routes": routes},
        "receivers": named,
        "inhibit_rules": [
            # A page about a model hides its lesser alerts about users, which have the same cause. A rollback stays
            # visible, because the operator on call needs it. Labels that both lack count as equal: without the
            # second matcher the gateway's page would hide every alert without a model.
            {
                "source_matchers": ['tier="page"', 'model!=""'],
                "target_matchers": ['tier!="page"', 'impact="users"'],
                "equal": ["namespace", "model"],
            },
            # A model that cannot be reached gets no requests.
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
