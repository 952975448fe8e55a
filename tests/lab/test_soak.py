"""Ten promotions, ten rollbacks, under load, each written down as `slipway rollout` does: `make soak`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from live_rollouts import CANCER, DIABETES, PER_SECOND, Round, processes, users
from local_stack import CANARY, ISVC, Stack

pytestmark = pytest.mark.soak

MODELS = (CANCER, DIABETES)
#: Of each model: with two models that makes ten promotions, ten rollbacks.
CYCLES = 5
#: Registers CYCLES good versions, then as many bad ones, of what was trained once each: only the numbers differ.
REGISTER = """
import os, sys
from slipway.lab.seed.accidents import ACCIDENTS
from slipway.lab.seed.recipes import DEMO_MODELS
from slipway.lab.seed.registry import connect, register
name, cycles = sys.argv[1], int(sys.argv[2])
(model,) = (model for model in DEMO_MODELS if model.name == name)
bad = register(os.environ["MLFLOW_TRACKING_URI"], "a" * 40, model, ACCIDENTS[name])
client = connect(os.environ["MLFLOW_TRACKING_URI"])
for number in [3] * cycles + [bad] * cycles:
    source = client.get_model_version(name, str(number))
    client.create_model_version(name, source.source, source.run_id, tags=source.tags)
"""
#: What `slipway rollout settle` or `rollback` does; the command itself takes the registry of the lab's own project.
ACT = """
import sys
from pathlib import Path
from slipway import cluster
from slipway.delivery.books import Books
from slipway.delivery.rollback import rollback
from slipway.delivery.settle import settle
from slipway.models.spec import load_model_specs
from slipway.settings.stack_file import read_environment
act, model = sys.argv[1:]
project = Path.cwd()
environment = read_environment(project, "local")
books = Books(project, environment, load_model_specs(project / "models")[model])
{"settle": settle, "rollback": rollback}[act](cluster.connect(environment, project), books)
"""
#: The first of them: three are the demo's, the fourth is its accident.
FIRST = 5


@pytest.fixture(scope="module")
def stack(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(lab, tmp_path_factory.mktemp("soak"), MODELS)
    for model in MODELS:
        made.python(REGISTER, model, str(CYCLES))
    made.start()
    yield made
    made.pulumi("destroy", "--yes", "--skip-preview")


@pytest.fixture(scope="module")
def soaked(stack: Stack) -> Round:
    """All of it, with what was counted in the end."""
    seen = Round()
    seen.seen["ends"] = []

    def rollout(version: int, outcome: str, act: str) -> None:
        for model in MODELS:
            stack.promote(version, model)
        stack.up()
        for model in MODELS:
            began = time.monotonic()
            phase = stack.ended(f"{model}-v{version}")
            seen.seen["ends"].append((model, version, phase))
            print(f"{model} v{version}: {phase}, expected {outcome}; waited {time.monotonic() - began:.0f} s")
            stack.python(ACT, act, model)
        stack.up()

    with users(stack.lab, *MODELS):
        for cycle in range(CYCLES):
            rollout(FIRST + cycle, "Succeeded", "settle")
            rollout(FIRST + CYCLES + cycle, "Failed", "rollback")
        seen.end(stack, *MODELS)
    return seen


def test_each_good_version_is_promoted_and_each_bad_one_rolled_back(soaked: Round) -> None:
    assert soaked.seen["ends"] == [
        (model, FIRST + cycle + bad * CYCLES, "Failed" if bad else "Succeeded")
        for cycle in range(CYCLES)
        for bad in (0, 1)
        for model in MODELS
    ]


def test_no_request_of_the_primarys_share_fails(soaked: Round) -> None:
    for model, counted in soaked.shares.items():
        assert counted.primary.requests > 300 * PER_SECOND, model
        assert counted.primary.failed == 0, model


def test_nothing_is_stuck_and_nothing_is_left(stack: Stack, soaked: Round) -> None:
    stack.up("--expect-no-changes")
    last = FIRST + CYCLES - 1
    assert soaked.served == {model: f"{model}-v{last}" for model in MODELS}
    assert sorted(item["metadata"]["name"] for item in stack.kube.list(*ISVC, "models")) == sorted(
        soaked.served.values()
    )
    assert {item["metadata"]["name"] for item in stack.kube.list(*CANARY, "models")} == set(MODELS)
    pods = [item["metadata"]["name"] for item in stack.kube.list("v1", "Pod", "models")]
    assert len(pods) == len(MODELS), pods
    # Each pod is a network namespace of its own, so a process or a port that is left would be in one of another pod.
    namespaces = {(process / "ns/net").readlink() for process in processes(stack.lab)}
    assert len(namespaces) == len(pods) + 1
