"""What the demo makes of its rollouts: which are still to come, what did not come as it should."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from records import at, promoted, rolled_back
from rollouts import state

from slipway.clients.prometheus import Prometheus
from slipway.delivery import report
from slipway.delivery.record import RolloutRecord
from slipway.demo import rollouts as demo_rollouts
from slipway.demo.rollouts import Noticed, Rollouts, Story, problems
from slipway.traffic.requests import Stream
from slipway.traffic.shares import Share, Shares

GOOD, BAD = Story("churn", 4, "better", "promoted"), Story("churn", 4, "shuffled", "failed")


def rollouts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    live: int = 3,
    rejected: Iterable[int] = (),
    recorded: Iterable[RolloutRecord] = (),
) -> Rollouts:
    """Make the demo's second part, with a registry and a cluster that say so."""

    class Registry:
        def __init__(self, _: object) -> None:
            """Nothing to open."""

        def rejections(self, _: str) -> Mapping[str, Mapping[int, str]]:
            return {"churn": dict.fromkeys(rejected, "it was bad")}

    made = object.__new__(Rollouts)
    made.project, made.kube = tmp_path, Any
    made.environment = type("Environment", (), {"name": "local", "namespace": "models"})()
    made.specs = {"churn": type("Spec", (), {"registered_model": "churn"})()}
    made.prometheus = Prometheus("http://none")
    monkeypatch.setattr(demo_rollouts, "Registry", Registry)
    monkeypatch.setattr(demo_rollouts.state, "read", lambda *_: {"churn": state(live, live)})
    report.write(list(recorded), tmp_path / demo_rollouts.REPORTS, demo_rollouts.REPORT, at(0))
    return made


def test_what_nobody_has_tried_is_still_to_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rollouts(tmp_path, monkeypatch).open([GOOD]) == [GOOD]


def test_what_is_live_was_promoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rollouts(tmp_path, monkeypatch, live=4).open([GOOD, BAD]) == []


def test_what_was_promoted_once_is_not_tried_again_when_another_version_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rollouts(tmp_path, monkeypatch, live=5, recorded=[promoted()]).open([GOOD]) == []


def test_a_rejected_version_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rollouts(tmp_path, monkeypatch, rejected=[4]).open([BAD]) == []


def test_a_rollback_that_was_not_written_down_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rollouts(tmp_path, monkeypatch, recorded=[rolled_back()]).open([BAD]) == [BAD]


def test_a_rollout_in_the_report_is_replaced_when_it_is_told_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = rollouts(tmp_path, monkeypatch, recorded=[rolled_back()])
    other = promoted().model_copy(update={"model": "fraud"})
    made.record([promoted(), other])
    assert [(each.model, each.outcome) for each in made.recorded()] == [("churn", "promoted"), ("fraud", "promoted")]


def test_requests_that_never_reached_the_gateway_are_the_primarys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Sent:
        streams = (Stream("churn", "http://churn/infer", (), 1),)

        def requests(self, _: str) -> int:
            return 110

    monkeypatch.setattr(demo_rollouts, "SCRAPED", 0.0)
    monkeypatch.setattr(demo_rollouts, "shares", lambda *_: Shares(Share(90, 1), Share(17, 5)))
    found = rollouts(tmp_path, monkeypatch).noticed(Sent(), 0.0)  # type: ignore[arg-type]
    assert found == [Noticed("churn", primary=93, primary_failed=4, canary=17, canary_failed=5)]


def test_a_story_that_ends_as_it_should_is_no_problem() -> None:
    assert problems([GOOD], [promoted()], [Noticed("churn", 900, 0, 20, 20)]) == []


def test_a_bad_version_that_is_promoted_is_a_problem() -> None:
    (said,) = problems([BAD], [promoted()], [])
    assert said.startswith("churn: v4 promoted: the candidate takes over: 540 requests, 0 failed")
    assert "; expected: rolled back (shuffled); start again: `slipway lab reset`" in said


def test_one_failed_request_of_the_primarys_share_is_a_problem() -> None:
    (said,) = problems([GOOD], [promoted()], [Noticed("churn", 900, 1, 20, 0)])
    assert said.startswith("churn: 1 of 900 requests of the primary's share failed; expected none (load")
