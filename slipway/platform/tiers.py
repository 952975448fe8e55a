"""Alert tiers, derived from severity and impact."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from slipway.settings.monitoring import Tier

Severity = Literal["critical", "warning"]
#: `users`: answers to users. `delivery`: rollouts of new versions. `insight`: measurements of both.
Impact = Literal["users", "delivery", "insight"]

#: From the highest down.
ORDER: tuple[Tier, ...] = ("page", "ticket", "notice")

#: Only failures that users notice page an operator; pages that could wait lead to ignored pages.
TIERS: Mapping[tuple[Severity, Impact], Tier] = {
    ("critical", "users"): "page",
    ("critical", "delivery"): "ticket",
    ("critical", "insight"): "ticket",
    ("warning", "users"): "ticket",
    ("warning", "delivery"): "notice",
    ("warning", "insight"): "notice",
}


def tier(severity: Severity, impact: Impact, highest: Tier = "page") -> Tier:
    """Return the tier of an alert in an environment whose highest tier is `highest`."""
    return ORDER[max(ORDER.index(TIERS[severity, impact]), ORDER.index(highest))]


def below(one: Tier) -> Tier:
    """Return the next lower tier; the lowest returns itself."""
    return ORDER[min(ORDER.index(one) + 1, len(ORDER) - 1)]
