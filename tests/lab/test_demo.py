"""The demo as a user runs it, in a lab that runs already."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from projects import CHECKOUT, Project

#: Seconds, on two busy cores; a demo that takes longer hangs.
LIMIT = 900
#: What should become of the versions that the demo tries, by model and version.
ENDS = {
    ("wine-cultivar", "v2 → v3"): "promoted",
    ("wine-cultivar", "v3 → v4"): "rolled back",
    ("breast-cancer", "v2 → v4"): "rolled back",
    ("diabetes-progression", "v2 → v4"): "rolled back",
}
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
    assert [one["versions"] for one in demo.answer("models", "list")] == [[1, 2, 3, 4]] * 3


def test_the_chosen_plugin_is_printed(finished: subprocess.CompletedProcess[str]) -> None:
    assert "Kubernetes plugin: " in finished.stderr


def test_each_version_ends_as_it_deserves(finished: subprocess.CompletedProcess[str]) -> None:
    rollouts = json.loads(finished.stdout)["rollouts"]
    assert {(each["model"], each["versions"]): each["outcome"] for each in rollouts} == ENDS
    why = {each["model"]: each["why"] for each in rollouts if each["outcome"] == "rolled back"}
    assert "were wrong on the candidate" in why["breast-cancer"]
    assert "failed on the candidate" in why["diabetes-progression"]
    assert "were too slow on the candidate" in why["wine-cultivar"]


def test_no_request_of_the_primarys_share_failed(finished: subprocess.CompletedProcess[str]) -> None:
    noticed = json.loads(finished.stdout)["noticed"]
    assert {each["model"] for each in noticed} == {"breast-cancer", "diabetes-progression", "wine-cultivar"}
    for each in noticed:
        assert each["primary"] > 500
        assert each["primary_failed"] == 0, each


def test_the_report_tells_every_rollout(finished: subprocess.CompletedProcess[str]) -> None:
    written = json.loads(finished.stdout)["report"]
    rollouts = json.loads(Path(written["json"]).read_text())["rollouts"]
    assert len(rollouts) == len(ENDS)
    for each in rollouts:
        if each["outcome"] == "failed":
            assert max(point["evidence"] or 0 for point in each["points"]) > 20, each["model"]
    assert Path(written["html"]).read_text().count("<article") == len(ENDS)


def test_it_leaves_every_model_settled(demo: Demo, finished: subprocess.CompletedProcess[str]) -> None:
    rows = demo.answer("rollout", "status")["models"]
    assert {row["model"]: row["stable"] for row in rows} == {
        "breast-cancer": 2,
        "diabetes-progression": 2,
        "wine-cultivar": 3,
    }
    assert {(row["situation"], row["next"]) for row in rows} == {("settled", "nothing")}


def test_a_second_demo_changes_nothing(demo: Demo, finished: subprocess.CompletedProcess[str]) -> None:
    again = demo.slipway("demo", "--json")
    assert again.returncode == 0, again.stderr
    assert "9 versions, 0 of them new" in again.stderr
    assert again.stderr.count("was tried already") == len(ENDS)
    for change in ("create", "update", "delete"):
        assert f" {change} " not in again.stderr
    assert json.loads(again.stdout)["rollouts"] == json.loads(finished.stdout)["rollouts"]


def test_a_moved_alias_shows_as_a_canary_in_the_preview(demo: Demo, finished: subprocess.CompletedProcess[str]) -> None:
    (same,) = demo.answer("preview")["changes"].items()
    assert same[0] == "same"
    demo.answer("models", "alias", "breast-cancer", "champion", "3")
    try:
        shown = demo.slipway("preview")
        assert "+ create InferenceService breast-cancer-v3" in shown.stdout
        assert "~ update Service breast-cancer\n" in shown.stdout
        assert f"1 create, {same[1] - 1} same, 1 update" in shown.stdout
        plan = {row["model"]: row["up would"] for row in demo.answer("plan")["models"]}
        assert plan["breast-cancer"] == ["create v3", "move the target from v2 to v3"]
        assert plan["wine-cultivar"] == ["nothing"]
    finally:
        demo.answer("models", "alias", "breast-cancer", "champion", "2")


def test_a_rejected_version_is_not_taken_again(demo: Demo, finished: subprocess.CompletedProcess[str]) -> None:
    demo.answer("models", "alias", "breast-cancer", "champion", "4")
    try:
        shown = demo.slipway("preview")
        assert "was rejected" in shown.stdout
        assert "create" not in shown.stdout
    finally:
        demo.answer("models", "alias", "breast-cancer", "champion", "2")


def test_an_alias_to_a_version_that_its_gates_refuse_stops_the_preview(
    demo: Demo, finished: subprocess.CompletedProcess[str]
) -> None:
    demo.answer("models", "alias", "wine-cultivar", "champion", "1")
    try:
        refused = demo.slipway("preview")
        assert refused.returncode == 2
        assert "models/wine-cultivar.yaml: gates[0]" in refused.stderr
    finally:
        demo.answer("models", "alias", "wine-cultivar", "champion", "3")


def test_a_frozen_release_is_found_again_in_the_store(demo: Demo, finished: subprocess.CompletedProcess[str]) -> None:
    made = demo.answer("release", "create", "breast-cancer", "--alias", "champion")
    deployed = {one["model"]: one for one in json.loads(finished.stdout)["deployed"]}
    assert made["digest"] == deployed["breast-cancer"]["digest"]
    assert [row["state"] for row in demo.answer("release", "verify", "breast-cancer")] == ["as pinned"]
