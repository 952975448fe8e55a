"""The bounds that a version's recorded metrics must keep."""

from __future__ import annotations

from slipway.models.release import Release
from slipway.models.spec import ModelSpec


def failed_gates(spec: ModelSpec, release: Release) -> list[str]:
    """Say which gates of a spec a release fails; a metric that nobody recorded fails, too."""
    ref = release.registry
    failed = []
    for index, gate in enumerate(spec.gates):
        value = release.metrics.get(gate.metric)
        if value is not None and gate.holds(value):
            continue
        got = f"it is {value:g}" if value is not None else "the registry has no such metric of it"
        failed.append(
            f"models/{spec.name}.yaml: gates[{index}]: registered model {ref.registered_model!r} version {ref.version}"
            f" is refused: expected {gate.metric} to be {gate.bound}, {got}"
        )
    return failed
