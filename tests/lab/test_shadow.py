"""A shadow of a really served model, by `pulumi up`, with the lab's own judge, under load."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
import yaml
from live_rollouts import WINE, Round, users
from local_stack import CANARY, ROLLOUT, Stack

from slipway import names
from slipway.judge.shadows import COPIES
from slipway.rollout.canary import ABORT
from slipway.rollout.cluster import ROUTE

CANDIDATE = f"{WINE}-v3"


@dataclass
class Shadowed(Round):
    """What happened, with what users were answered, and what the judge said."""

    answered: dict[str, dict[int, int]] = field(default_factory=dict)
    verdict: dict[str, Any] = field(default_factory=dict)
    #: What the judge counted in some time: of the candidate, of the primary.
    counted: tuple[int, ...] = ()


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that tells nobody."""
    deadline = time.monotonic() + ROLLOUT
    while not holds():
        assert time.monotonic() < deadline, f"not within {ROLLOUT} s: {what}"
        time.sleep(0.5)


@pytest.fixture(scope="module")
def shadowed(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shadowed]:
    stack = Stack(lab, tmp_path_factory.mktemp("shadow"), [WINE])
    file = stack.root / "models" / f"{WINE}.yaml"
    spec = yaml.safe_load(file.read_text())
    spec["rollout"]["strategy"] = "shadow"
    file.write_text(yaml.safe_dump(spec))
    stack.up()
    stack.phase("Initialized", model=WINE)
    assert copies(stack) == []
    stack.promote(3, WINE)
    seen = Shadowed()
    seen.changes.follow(stack, ROUTE)
    with users(lab, WINE) as traffic:
        stack.up()
        seen.seen["copies"] = copies(stack)
        stack.phase("WaitingPromotion", model=WINE)
        asked = {"namespace": "models", "model": WINE}

        def judged(least: int) -> bool:
            seen.verdict = requests.get(f"{lab.facts.url('judge')}/verdict", asked, timeout=10).json()
            return bool(requests_of(seen.verdict)[0] >= least)

        until(lambda: judged(50), "the judge has counted 50 copies")
        first = requests_of(seen.verdict)
        seen.seen["up again"] = stack.up()
        until(lambda: judged(first[0] + 200), "the judge has counted 200 more")
        seen.counted = tuple(now - before for before, now in zip(first, requests_of(seen.verdict), strict=True))
        seen.seen["held"] = stack.kube.get(*CANARY, WINE, "models")["status"]["phase"]
        body = {"metadata": {"annotations": {ABORT: f"{CANDIDATE}: enough seen"}}}
        stack.kube.patch(*CANARY, WINE, "models", body)
        stack.phase("Failed", model=WINE)
        until(lambda: copies(stack) == [], "the judge ends the copies")
        seen.end(stack, WINE)
        # The registry has changed its mind.
        stack.promote(2, WINE)
        stack.up()
        seen.answered = {(one.version, one.status) for one in traffic.answers.copy() if one.model == WINE}
    seen.seen["left"] = [one for one in stack.state() if "traefik.io" in one]
    yield seen
    stack.pulumi("destroy", "--yes", "--skip-preview")


def requests_of(verdict: dict[str, Any]) -> tuple[int, int]:
    counted = verdict["counts"]["since_start"]
    return counted["canary"]["requests"], counted["primary"]["requests"]


def copies(stack: Stack) -> list[str]:
    return [found["metadata"]["name"] for found in stack.kube.list(*COPIES, "models")]


def test_an_up_with_a_candidate_has_requests_copied_to_it(shadowed: Shadowed) -> None:
    assert shadowed.seen["copies"] == [names.shadow(CANDIDATE)]
    assert "unchanged" in shadowed.seen["up again"]
    assert not {"created", "updated", "deleted"} & set(shadowed.seen["up again"].split())


def test_users_are_answered_by_the_primary_alone_and_notice_nothing(shadowed: Shadowed) -> None:
    assert shadowed.answered == {("2", 200)}
    assert shadowed.shares[WINE].primary.failed == 0
    assert {weights[1:] for weights in shadowed.changes.weights(WINE)} <= {(100, 0)}


def test_the_judge_measures_the_candidate_by_the_copies_and_promotes_it_never(shadowed: Shadowed) -> None:
    candidate, primary = shadowed.counted
    # The two servers are scraped up to a second apart.
    assert candidate == pytest.approx(primary, rel=0.2)
    assert not shadowed.verdict["condemned"]
    assert "a shadow, users never get it" in shadowed.verdict["waits_for"]
    assert shadowed.seen["held"] in ("Progressing", "WaitingPromotion")


def test_when_it_is_aborted_nothing_of_it_stays(shadowed: Shadowed) -> None:
    assert (shadowed.phases[WINE], shadowed.served[WINE]) == ("Failed", f"{WINE}-v2")
    assert shadowed.seen["left"] == []
