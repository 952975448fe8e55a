"""`slipway rehearse`: what it prints, what it writes, what it exits with."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import a_release, a_spec
from projects import Project
from test_rehearse_report import a_record
from test_rehearse_sides import Registry
from typer.testing import CliRunner, Result

import slipway.cli.rehearse
from slipway import documents
from slipway.cli.root import app
from slipway.delivery.record import Outcome
from slipway.errors import ExitCode, SlipwayError
from slipway.rehearse import exposure
from slipway.rehearse.answers import Comparison
from slipway.rehearse.run import Played


@pytest.fixture(autouse=True)
def _sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the lab would show, to be changed by tests; `asked` is what it was asked."""
    Project(tmp_path).pinned(a_release(version=7), environment="prod")
    monkeypatch.setenv("SLIPWAY_PROJECT", str(tmp_path))
    registry = Registry(a_release(version=7), a_release(version=8))
    shown: dict[str, Any] = {"outcome": "promoted", "asked": None}

    def play(lab: Any, spec: Any, sides: Any, rehearsed: Any, asked: Any) -> Played:
        shown["asked"] = asked
        outcome: Outcome = shown["outcome"]
        return Played(a_record(outcome, "churn-v8: errors: 8 of 20 failed"), Comparison(requests=0, differ=0), 20.0)

    monkeypatch.setattr(slipway.cli.rehearse, "use_lab", lambda stack: None)
    monkeypatch.setattr(slipway.cli.rehearse, "_lab", lambda: None)
    monkeypatch.setattr(slipway.cli.rehearse, "Registry", lambda uri: registry)
    monkeypatch.setattr(slipway.cli.rehearse, "input_example", lambda release: [{"age": 30.0}])
    monkeypatch.setattr(slipway.cli.rehearse, "play", play)
    monkeypatch.setattr(exposure, "FACTORS", (4,))
    monkeypatch.setattr(exposure, "PLAYED", 3)
    return shown


def rehearse(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["rehearse", "churn", "--candidate", "8", *arguments])


def test_the_comment_is_printed_and_a_promoted_candidate_exits_with_0(played: dict[str, Any]) -> None:
    found = rehearse()
    assert found.exit_code == 0, found.output
    assert found.stdout.startswith("### `churn` v7 → v8 ✅ would be promoted in prod\n")
    assert len(played["asked"]) > 100


def test_a_candidate_that_was_rolled_back_exits_with_1_and_its_comment_is_written(
    played: dict[str, Any], tmp_path: Path
) -> None:
    played["outcome"] = "failed"
    comment = tmp_path / "out" / "comment.md"
    found = rehearse("--markdown", str(comment))
    assert found.exit_code == 1
    assert found.stdout == "`churn` v7 → v8 ❌ would be rolled back in prod\n"
    assert comment.read_text().startswith("### `churn` v7 → v8 ❌")
    assert json.loads(rehearse("--json").stdout)["verdict"] == "rolled-back"


def test_a_plan_that_can_never_end_well_exits_with_2_and_plays_nothing(played: dict[str, Any], tmp_path: Path) -> None:
    spec = tmp_path / "models" / "churn.yaml"
    spec.write_text(spec.read_text().replace("requests_per_second: 20.0", "requests_per_second: 0.0001"))
    found = rehearse()
    assert found.exit_code == ExitCode.USER
    assert "⛔ cannot be released in prod" in found.stdout
    assert "rollout.steps" in found.stdout
    assert played["asked"] is None


def test_recorded_requests_are_what_the_lab_is_asked(played: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text('{"inputs": [{"name": "age", "shape": [1, 1], "datatype": "FP64", "data": [1.0]}]}\n')
    assert rehearse("--requests", str(file)).exit_code == 0
    assert [each.inputs for each in played["asked"]] == [{"age": 1.0}]


def test_an_environment_that_looks_at_nothing_is_refused(played: dict[str, Any]) -> None:
    found = rehearse("--environment", "dev", "--stable", "7")
    assert isinstance(found.exception, SlipwayError)
    assert "in dev its strategy is immediate, which promotes without a look" in str(found.exception)


def test_control_c_says_that_nothing_is_left(played: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> Played:
        raise KeyboardInterrupt

    monkeypatch.setattr(slipway.cli.rehearse, "play", interrupted)
    found = rehearse()
    assert found.exit_code == 130
    assert "interrupted; nothing of the rehearsal is left in the lab" in found.output


def test_an_llm_is_not_rehearsed(played: dict[str, Any], tmp_path: Path) -> None:
    documents.write(tmp_path / "models" / "churn.yaml", a_spec("churn", llm={}))
    done = CliRunner().invoke(app, ["rehearse", "churn", "--candidate", "8"])
    assert "llm: the lab has no GPUs to rehearse it on" in str(done.exception)
    assert played["asked"] is None
