"""A rehearsal in the lab says what real Flagger does, and leaves nothing there."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from projects import CHECKOUT, Project

from slipway.errors import ExitCode
from slipway.planning.timeline import AFTER_PROMOTION
from slipway.rehearse.result import Rehearsal

MODEL = "diabetes-progression"
NAMESPACE = ("v1", "Namespace")
LABEL = f"slipway.dev/rehearsal={MODEL}"
#: Seconds, on two busy cores; a run that takes longer hangs.
LIMIT = 400

#: Three good versions, then one that was trained on renamed columns: users' requests do not fit it.
SEED = f"""
import os
from dataclasses import replace
from slipway.lab.seed.accidents import ACCIDENTS
from slipway.lab.seed.recipes import DEMO_MODELS
from slipway.lab.seed.registry import seed_registry
(model,) = [model for model in DEMO_MODELS if model.name == "{MODEL}"]
models = [replace(model, recipes=(*model.recipes, ACCIDENTS["{MODEL}"]))]
seed_registry(os.environ["MLFLOW_TRACKING_URI"], "a" * 40, models)
"""
COMMAND = (sys.executable, "-c", "from slipway.cli import main; main()", "rehearse", MODEL, "-s", "staging")


class Stage:
    """A project with one model, a registry of its own, in the lab of all tests."""

    def __init__(self, lab: Any, root: Path) -> None:
        self.kube, self.root = lab.kube, root
        Project(root)
        (root / "models" / f"{MODEL}.yaml").write_text((CHECKOUT / "models" / f"{MODEL}.yaml").read_text())
        (root / ".slipway").mkdir()
        (root / ".slipway" / "lab").symlink_to(lab.paths.lab)
        # Two steps are enough to be rolled out by.
        settings = root / "Pulumi.staging.yaml"
        content = yaml.safe_load(settings.read_text())
        content["config"]["slipway:rollout"]["steps"] = [20, 100]
        settings.write_text(yaml.safe_dump(content, sort_keys=False))
        self.env = {
            **lab.env,
            "MLFLOW_TRACKING_URI": f"sqlite:///{root / '.slipway' / 'mlflow.db'}",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "SLIPWAY_PROJECT": str(root),
        }
        seed = [sys.executable, "-c", SEED]
        subprocess.run(seed, cwd=root, env=self.env, check=True, capture_output=True, timeout=LIMIT)

    def start(self, candidate: int, *arguments: str) -> subprocess.Popen[str]:
        command = [*COMMAND, "--stable", "2", "--candidate", str(candidate), *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=self.root, env=self.env, stdout=pipe, stderr=pipe, text=True)

    def rehearse(self, candidate: int) -> tuple[int, Rehearsal, str]:
        """Return the exit code, what the JSON says, and the comment for a pull request."""
        comment = self.root / "comment.md"
        with self.start(candidate, "--json", "--markdown", str(comment)) as run:
            printed, said = run.communicate(timeout=LIMIT)
        assert comment.exists(), said
        return run.returncode, Rehearsal.model_validate_json(printed), comment.read_text()

    def namespaces(self) -> list[str]:
        return [each["metadata"]["name"] for each in self.kube.list(*NAMESPACE, label_selector=LABEL)]

    def has_begun(self) -> None:
        """Return once a rehearsal has made its namespace."""
        for _ in self.kube.watch(*NAMESPACE, label_selector=LABEL, timeout_seconds=LIMIT):
            return
        raise AssertionError("no rehearsal has begun")

    def is_gone(self, name: str) -> None:
        """Return once a namespace is gone."""
        deadline = time.monotonic() + LIMIT
        while name in self.namespaces():
            assert time.monotonic() < deadline, f"{name} is still there"
            # It may have gone before the watch began: then there is nothing to be told.
            for event, seen in self.kube.watch(*NAMESPACE, label_selector=LABEL, timeout_seconds=5):
                if event == "DELETED" and seen["metadata"]["name"] == name:
                    return


@pytest.fixture(scope="module")
def stage(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(lab, tmp_path_factory.mktemp("rehearsals"))
    yield made
    assert made.namespaces() == []


def test_a_better_version_is_promoted_in_the_time_that_is_predicted_for_the_labs_clock(stage: Stage) -> None:
    code, found, printed = stage.rehearse(3)
    assert (code, found.verdict) == (0, "promoted"), found.reason
    assert printed.startswith(f"### `{MODEL}` v2 → v3 ✅ would be promoted in staging\n")
    assert stage.namespaces() == []
    record, timeline = found.record, found.prediction.timeline
    assert record is not None
    assert timeline is not None
    assert (record.steps, record.interval_seconds, timeline.interval_seconds) == ((20, 100), 10, 60)
    # Both have the steps; only the clock differs, and where between two looks the target was moved.
    took = datetime.fromisoformat(record.ended) - datetime.fromisoformat(record.started)
    looks = 2 + sum(step.intervals for step in timeline.steps) + AFTER_PROMOTION - 1
    # On a busy machine a look may also fail or hold, for want of requests; both moments are whole seconds.
    more = sum(p.failed_checks > 0 for p in record.points) + sum(each.kind == "held" for each in record.decisions)
    assert took.total_seconds() / 10 == pytest.approx(looks, abs=1.3 + more)
    assert found.comparison is not None
    assert found.comparison.requests > 0


def test_a_version_that_users_requests_do_not_fit_is_rolled_back_with_the_reason(stage: Stage) -> None:
    code, found, printed = stage.rehearse(4)
    assert (code, found.verdict) == (1, "rolled-back"), found.reason
    assert "errors: " in found.reason
    assert "bmi: double → nothing" in "; ".join(found.changed_inputs)
    assert printed.startswith(f"### `{MODEL}` v2 → v4 ❌ would be rolled back in staging\n")
    assert stage.namespaces() == []
    assert found.record is not None
    assert sum(point.primary.failed for point in found.record.points) == 0


def test_what_a_killed_rehearsal_leaves_is_gone_after_the_next_one(stage: Stage) -> None:
    with stage.start(3) as killed:
        stage.has_begun()
        with stage.start(3) as second:
            _, said = second.communicate(timeout=LIMIT)
        assert second.returncode == ExitCode.BUSY, said
        assert "another rehearsal of it runs" in said
        killed.send_signal(signal.SIGKILL)
    (left,) = stage.namespaces()
    with stage.start(3) as stopped:
        stage.is_gone(left)
        stage.has_begun()
        assert stopped.poll() is None
        stopped.send_signal(signal.SIGINT)
        _, said = stopped.communicate(timeout=LIMIT)
    assert stopped.returncode == 130, said
    assert "nothing of the rehearsal is left in the lab" in said
    assert stage.namespaces() == []
