"""The demo as a user runs it, in a lab that runs already."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from projects import CHECKOUT, Project

#: Seconds, on two busy cores; a demo that takes longer hangs.
LIMIT = 300
SLIPWAY = [sys.executable, "-c", "from slipway.cli import main; main()"]


@dataclass(frozen=True)
class Demo:
    """The lab's project with the demo models in it."""

    env: dict[str, str]

    def slipway(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*SLIPWAY, *arguments]
        return subprocess.run(command, cwd=CHECKOUT, env=self.env, capture_output=True, text=True, timeout=LIMIT)

    def answer(self, *arguments: str) -> Any:
        """Run a command that must succeed; returns what it prints."""
        done = self.slipway(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def demo(lab: Any) -> Iterator[Demo]:
    Project(lab.project)
    shutil.copytree(CHECKOUT / "models", lab.project / "models", dirs_exist_ok=True)
    # An ordinary shell, which has not sourced .slipway/env.
    found = Demo({**os.environ, "SLIPWAY_PROJECT": str(lab.project)})
    yield found
    done = found.slipway("destroy")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def interrupted(demo: Demo) -> str:
    """What a demo says that Control-C ends in the middle of its training."""
    process = subprocess.Popen(
        [*SLIPWAY, "demo"],
        cwd=CHECKOUT,
        env=demo.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background of a script ignores Control-C, which its children would inherit.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout
    next(line for line in process.stdout if "✓ train breast-cancer" in line)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == 130, said
    return said


@pytest.fixture(scope="module")
def finished(demo: Demo, interrupted: str) -> subprocess.CompletedProcess[str]:
    """The same command again, to its end."""
    done = demo.slipway("demo", "--json")
    assert done.returncode == 0, done.stderr
    return done


def test_an_interrupted_demo_says_that_it_can_go_on(interrupted: str) -> None:
    assert interrupted.strip().splitlines()[-1] == (
        "slipway: interrupted; run the same command again, it goes on from here"
    )


def test_every_served_answer_is_the_model_s_own(finished: subprocess.CompletedProcess[str]) -> None:
    compared = json.loads(finished.stdout)["compared"]
    assert [one["model"] for one in compared] == ["breast-cancer", "diabetes-progression", "wine-cultivar"]
    for one in compared:
        assert one["served"] == pytest.approx(one["loaded"], rel=1e-9)
        assert one["equal"]


def test_the_champion_of_every_model_is_ready_under_its_digest(finished: subprocess.CompletedProcess[str]) -> None:
    for one in json.loads(finished.stdout)["deployed"]:
        assert one["version"] == 2
        assert one["release"].startswith("v2-")
        assert one["digest"].startswith("sha256:")
        assert one["state"].startswith("Ready")


def test_an_interruption_costs_no_version_twice(demo: Demo, finished: subprocess.CompletedProcess[str]) -> None:
    assert [one["versions"] for one in demo.answer("models", "list")] == [[1, 2, 3]] * 3


def test_the_chosen_plugin_is_printed(finished: subprocess.CompletedProcess[str]) -> None:
    assert "Kubernetes plugin: " in finished.stderr


def test_a_second_demo_changes_nothing(demo: Demo, finished: subprocess.CompletedProcess[str]) -> None:
    again = demo.slipway("demo", "--json")
    assert again.returncode == 0, again.stderr
    assert "9 versions, 0 of them new" in again.stderr
    assert "create" not in again.stderr
    assert json.loads(again.stdout) == json.loads(finished.stdout)


def test_a_moved_alias_shows_as_a_canary_in_the_preview(demo: Demo, finished: subprocess.CompletedProcess[str]) -> None:
    assert demo.answer("preview")["changes"] == {"same": 25}
    demo.answer("models", "alias", "wine-cultivar", "champion", "3")
    try:
        shown = demo.slipway("preview")
        assert "+ create InferenceService wine-cultivar-v3" in shown.stdout
        assert "~ update Service wine-cultivar\n" in shown.stdout
        assert "1 create, 24 same, 1 update" in shown.stdout
        plan = {row["model"]: row["up would"] for row in demo.answer("plan")["models"]}
        assert plan["wine-cultivar"] == ["create v3", "move the target from v2 to v3"]
        assert plan["breast-cancer"] == ["nothing"]
    finally:
        demo.answer("models", "alias", "wine-cultivar", "champion", "2")


def test_an_alias_to_a_version_that_its_gates_refuse_stops_the_preview(
    demo: Demo, finished: subprocess.CompletedProcess[str]
) -> None:
    demo.answer("models", "alias", "wine-cultivar", "champion", "1")
    try:
        refused = demo.slipway("preview")
        assert refused.returncode == 2
        assert "models/wine-cultivar.yaml: gates[0]" in refused.stderr
    finally:
        demo.answer("models", "alias", "wine-cultivar", "champion", "2")


def test_a_frozen_release_is_found_again_in_the_store(demo: Demo, finished: subprocess.CompletedProcess[str]) -> None:
    made = demo.answer("release", "create", "wine-cultivar", "--alias", "champion")
    deployed = {one["model"]: one for one in json.loads(finished.stdout)["deployed"]}
    assert made["digest"] == deployed["wine-cultivar"]["digest"]
    assert [row["state"] for row in demo.answer("release", "verify", "wine-cultivar")] == ["as pinned"]
