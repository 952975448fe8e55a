"""Times of Kubernetes and of our records, and durations of Go."""

from __future__ import annotations

import re
from datetime import UTC, datetime


def epoch(text: str | None) -> float | None:
    """Return a time of RFC 3339 as seconds since the epoch; None for no text.

    Raises:
        ValueError: The text is no time.
    """
    return datetime.fromisoformat(text).timestamp() if text else None


def iso(moment: float) -> str:
    """Return seconds since the epoch as text in whole seconds, as the API server: `2026-11-21T16:30:05Z`."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stamp(moment: float) -> str:
    """Return seconds since the epoch as text in milliseconds: `2026-11-21T16:30:05.250Z`."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(duration: str) -> float:
    """Return the seconds of a Go duration in the units of Flagger: `1m30s` is 90."""
    units = {"h": 3600.0, "m": 60.0, "s": 1.0}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)([hms])", duration))
