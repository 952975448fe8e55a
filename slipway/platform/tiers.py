"""Whom an alert reaches: a tier, made of how bad it is with what it hits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from slipway.settings.monitoring import Tier

Severity = Literal["critical", "warning"]
#: `users`: answers that people get. `delivery`: whether new versions can go out. `insight`: what is known about both.
Impact = Literal["users", "delivery", "insight"]

#: From the highest down.
ORDER: tuple[Tier, ...] = ("page", "ticket", "notice")

#: Only what users feel, now, wakes somebody: an alert that can wait and does not is how all of them come to be ignored.
TIERS: Mapping[tuple[Severity, Impact], Tier] = {
    ("critical", "users"): "page",
    ("critical", "delivery"): "ticket",
    ("critical", "insight"): "ticket",
    ("warning", "users"): "ticket",
    ("warning", "delivery"): "notice",
    ("warning", "insight"): "notice",
}


def tier(severity: Severity, impact: Impact, highest: Tier = "page") -> Tier:
    """Say whom an alert reaches, in an environment where nothing is more than `highest`."""
    return ORDER[max(ORDER.index(TIERS[severity, impact]), ORDER.index(highest))]


def below(one: Tier) -> Tier:
    """Return the tier under one; the lowest has none under it."""
    return ORDER[min(ORDER.index(one) + 1, len(ORDER) - 1)]
