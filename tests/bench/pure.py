"""The pure path: files in, canonical bytes out, with neither Pulumi nor a network."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slipway.compile import compile_model
from slipway.planning.environment import plan_environment
from slipway.settings.checkout import Checkout
from slipway.settings.environment import Environment
from stacks import pacing
from tests.bench import project
from tests.bench.toolbox import STACK


@dataclass(frozen=True)
class Pure:
    """Median seconds of each part.

    Args:
        models: How many models.
        plan: Read specs, pins and releases; plan; look for what is impossible.
        compiled: Turn the plans into objects.
        canonical: Write the objects as canonical JSON.
        libyaml_read: Read the same files with libyaml's safe loader, without looking at them.
        libyaml_dump: Write the same objects with libyaml's safe dumper.
    """

    models: int
    plan: float
    compiled: float
    canonical: float
    libyaml_read: float
    libyaml_dump: float

    @property
    def ours(self) -> float:
        """The whole path."""
        return self.plan + self.compiled + self.canonical

    @property
    def libyaml(self) -> float:
        """Reading and writing the same documents."""
        return self.libyaml_read + self.libyaml_dump


def measure(folder: Path, models: int, repeats: int) -> Pure:
    """Time the parts on a generated project."""
    # As in the program; for libyaml too.
    pacing.collect_rarely()
    environment = Environment.parse(STACK, project.SETTINGS, f"Pulumi.{STACK}.yaml")
    plan_seconds, plan = _timed(lambda: plan_environment(Checkout(folder), environment, None), repeats)
    if plan.problems:
        raise AssertionError(f"the generated project cannot be planned: {plan.problems[0]}")
    # The plan holds its objects already: they are made once more, to know what of its time was theirs.
    compile_seconds, compiled = _timed(
        lambda: {name: compile_model(plan.specs[name], each, environment) for name, each in plan.plans.items()}, repeats
    )
    objects = [obj for one in compiled.values() for obj in _objects(one)]
    canonical_seconds, _ = _timed(lambda: [_canonical(obj) for obj in objects], repeats)
    texts = [file.read_text() for part in ("models", "releases", "pins") for file in (folder / part).rglob("*.yaml")]
    read_seconds, _ = _timed(lambda: [yaml.load(text, yaml.CSafeLoader) for text in texts], repeats)
    dump_seconds, _ = _timed(lambda: yaml.dump_all(objects, Dumper=yaml.CSafeDumper, sort_keys=True), repeats)
    return Pure(models, plan_seconds - compile_seconds, compile_seconds, canonical_seconds, read_seconds, dump_seconds)


def _timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds), result


def _objects(compiled: Any) -> list[dict[str, Any]]:
    trio = [compiled.target, compiled.primary, compiled.canary_service]
    return [*compiled.inference_services, *trio, compiled.canary]


def _canonical(obj: dict[str, Any]) -> bytes:
    return json.dumps(obj, sort_keys=True, separators=(",", ":")).encode()
