"""What is written down about the models of an environment, wherever that is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from slipway.delivery import ledger
from slipway.delivery.acts import Recorded
from slipway.errors import ExitCode, SlipwayError
from slipway.models.pins import Pin, load_pins
from slipway.models.release import version_of
from slipway.models.spec import ModelSpec
from slipway.settings.environment import Environment, path_of


def recorded(
    project: Path, environment: Environment, specs: Mapping[str, ModelSpec]
) -> tuple[dict[str, Recorded], list[str]]:
    """Read it for every model, with what a person should know about the reading.

    Raises:
        SlipwayError: A file does not fit. A registry that is away is said in a notice only.
    """
    settled = {
        entry.model: entry.version
        for entry in ledger.entries(ledger.path_of(project, environment))
        if entry.deed == "settled"
    }
    if environment.releases == "pinned":
        path = path_of(project, environment)
        pins = load_pins(path).models if path.exists() else {}
        return {name: _pinned(pins.get(name), settled.get(name)) for name in specs}, []
    # Imported only here: a pinned environment never asks a registry.
    from slipway.registry import Registry

    try:
        registry = Registry(environment.registry.tracking_uri)
        wanted, rejected = registry.champions(environment.alias), registry.rejections(environment.name)
    except SlipwayError as error:
        if error.exit_code is not ExitCode.UNREACHABLE:
            raise
        return {name: Recorded(settled=settled.get(name)) for name in specs}, [f"{error}; what is queued is unknown"]
    return {
        name: Recorded(
            wanted=wanted.get(spec.registered_model),
            rejected=rejected.get(spec.registered_model, {}),
            settled=settled.get(name),
        )
        for name, spec in specs.items()
    }, []


def _pinned(pin: Pin | None, settled: int | None) -> Recorded:
    if pin is None:
        return Recorded(settled=settled)
    return Recorded(
        stable=version_of(pin.stable),
        wanted=version_of(pin.candidate or pin.stable),
        rejected={version_of(each.release): each.reason for each in pin.rejected},
        settled=settled,
        hold=pin.hold,
    )
