"""Check of a version's recorded metrics against the gates of its model."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.models.release import Release
from slipway.models.spec import ModelSpec


def failed_gates(spec: ModelSpec, release: Release) -> Iterator[tuple[int, str]]:
    """Yield the index of each gate that a release fails, with the reason; a metric that is not recorded fails too."""
    for index, gate in enumerate(spec.gates):
        value = release.metrics.get(gate.metric)
        if value is None:
            yield index, f"{gate.metric} is not recorded, expected {gate.bound}"
        elif not gate.holds(value):
            yield index, f"{gate.metric} is {value:g}, expected {gate.bound}"
