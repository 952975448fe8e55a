"""The recorded versions of an environment's models, from the pins or the registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from slipway.delivery import ledger
from slipway.delivery.acts import Recorded
from slipway.errors import ExitCode, SlipwayError
from slipway.models.pins import Pin, load_pins
from slipway.models.release import version_of
from slipway.models.spec import ModelSpec
from slipway.registry import Registry
from slipway.settings.environment import Environment, path_of


def recorded(
    project: Path, environment: Environment, specs: Mapping[str, ModelSpec]
) -> tuple[dict[str, Recorded], list[str]]:
    """Return the recorded versions of every model, and notices for the operator.

    A registry that cannot be reached is only a notice.

    Raises:
        SlipwayError: A file does not fit.
    """
    settled = {
        entry.model: entry.version
        for entry in ledger.entries(ledger.path_of(project, environment))
        if entry.action == "settled"
    }
    if environment.releases == "pinned":
        path = path_of(project, environment)
        pins = load_pins(path).models if path.exists() else {}
        return {name: of_pin(pins.get(name), settled.get(name)) for name in specs}, []
    try:
        found = of_registry(Registry(environment.registry.tracking_uri), environment, specs)
    except SlipwayError as error:
        if error.exit_code is not ExitCode.UNREACHABLE:
            raise
        return {name: Recorded(settled=settled.get(name)) for name in specs}, [f"{error}; what is queued is unknown"]
    return {name: replace(each, settled=settled.get(name)) for name, each in found.items()}, []


def of_registry(registry: Registry, environment: Environment, specs: Mapping[str, ModelSpec]) -> dict[str, Recorded]:
    """Return the recorded versions of models in an environment that follows an alias.

    Raises:
        SlipwayError: The registry cannot be reached.
    """
    wanted, rejected = registry.champions(environment.alias), registry.rejections(environment.name)
    return {
        name: Recorded(wanted=wanted.get(spec.registered_model), rejected=rejected.get(spec.registered_model, {}))
        for name, spec in specs.items()
    }


def of_pin(pin: Pin | None, settled: int | None) -> Recorded:
    """Return the recorded versions in a model's pin; `settled` is the version that was settled last."""
    if pin is None:
        return Recorded(settled=settled)
    return Recorded(
        stable=version_of(pin.stable),
        wanted=version_of(pin.candidate or pin.stable),
        rejected={version_of(each.release): each.reason for each in pin.rejected},
        settled=settled,
        hold=pin.hold,
    )
