"""What Flagger is answered, from what was counted."""

from __future__ import annotations

from typing import Any

import pytest
from judging import POLICY, START, a_look

from slipway.judge import decide
from slipway.judge.counts import Servers
from slipway.judge.decide import Look

BAD = {"requests": 100, "failed": 15}
BLIND: dict[str, Any] = {"counts": None, "servers": None, "trouble": "Prometheus http://p: cannot be reached"}


def test_a_sound_candidate_may_go_on_until_it_is_promoted() -> None:
    look = a_look()
    assert decide.finding(look).verdict is not None
    assert not decide.rollback(look).yes
    assert decide.confirm_traffic_increase(look).reason == "churn-v2: asked 100 times at 50%: may have more"
    assert decide.confirm_promotion(look).yes


def test_a_worse_candidate_goes_at_once_and_gets_no_more_traffic() -> None:
    look = a_look(canary=BAD)
    found = decide.finding(look)
    assert found.verdict is not None
    assert found.verdict.e_value > 20
    assert decide.rollback(look).yes
    assert decide.rollback(look).reason.startswith("churn-v2: errors: 45 of 300 failed on the candidate, 0 of 300")
    assert not decide.confirm_traffic_increase(look).yes
    assert not decide.confirm_promotion(look).yes


@pytest.mark.parametrize(
    ("bad", "policy", "signal"),
    [
        ({"slow_p95": 60}, {}, "slow-p95"),
        ({"slow_p99": 30}, {"latency_p99_ms": 400.0}, "slow-p99"),
        ({"right": 0}, {"correct_percent": 90.0}, "wrong"),
    ],
)
def test_each_objective_that_was_asked_for_condemns(bad: Any, policy: Any, signal: str) -> None:
    assert decide.rollback(a_look(canary=bad, **policy)).reason.startswith(f"churn-v2: {signal}:")


@pytest.mark.parametrize("bad", [{"slow_p99": 30}, {"right": 0}])
def test_what_was_not_asked_for_does_not(bad: Any) -> None:
    assert decide.confirm_promotion(a_look(canary=bad)).yes


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (BLIND, "churn-v2: no data: Prometheus http://p: cannot be reached"),
        ({"servers": (Servers(0), Servers(1))}, "no data: Prometheus has scraped none of its servers lately"),
        ({"servers": (Servers(1), Servers(0))}, "no data: Prometheus has scraped no server of churn-v1 lately"),
        ({"servers": (Servers(1), Servers(0, ("a",)))}, "no data: no server of churn-v1 answers Prometheus"),
        ({"servers": (Servers(1, ("churn-v2-b",)), Servers(1))}, "its server churn-v2-b does not answer Prometheus"),
        ({"restarted": ("churn-v2-a",)}, "its server churn-v2-a was restarted just now"),
        ({"moved": True}, "the target has just moved to it: nothing is known yet"),
        ({"started": None, "phase": "Succeeded"}, "no rollout is under way (Succeeded)"),
    ],
)
def test_what_cannot_be_seen_fails_the_check_but_rolls_nothing_back(changes: Any, reason: str) -> None:
    look = a_look(**changes)
    assert decide.finding(look).verdict is None
    assert decide.finding(look).reason.endswith(reason)
    assert not decide.rollback(look).yes
    assert not decide.confirm_traffic_increase(look).yes
    assert not decide.confirm_promotion(look).yes


def test_a_side_without_traffic_need_not_be_seen() -> None:
    assert decide.finding(a_look(servers=(Servers(0), Servers(1)), weight=0)).verdict is not None
    assert decide.finding(a_look(servers=(Servers(1), Servers(0)), weight=100)).verdict is not None
    assert decide.finding(a_look(servers=(Servers(0), Servers(1)), weight=0, mirrored=True)).verdict is None
    assert decide.finding(a_look(servers=(Servers(0), Servers(1)), weight=0, shadow=True)).verdict is None


def test_a_candidate_that_crashes_is_still_condemned_by_what_it_did_before() -> None:
    assert decide.rollback(a_look(canary=BAD, servers=(Servers(0, ("churn-v2-a",)), Servers(1)))).yes


def test_an_abort_needs_no_measurement() -> None:
    look = a_look(**BLIND, aborted="the invoices are wrong")
    assert decide.rollback(look).reason == "churn-v2: aborted: the invoices are wrong"
    assert decide.rollback(look).yes
    assert decide.confirm_rollout(look).yes, "Flagger asks its rollback hooks only after that"


def test_an_aborted_candidate_gets_neither_traffic_nor_promotion() -> None:
    look = a_look(aborted="no")
    assert not decide.confirm_traffic_increase(look).yes
    assert not decide.confirm_promotion(look).yes


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({"min_requests": 101}, "held at 50%: asked 100 times there, 101 are needed"),
        ({"pauses": {"50": 60}}, "held at 50%: its pause ends in 50 s"),
        ({"pauses": {"25": 60}}, ""),
        ({"weight": 0, "min_requests": 500}, ""),
    ],
)
def test_more_traffic_waits_for_requests_at_this_weight_then_for_its_pause(changes: Any, held: str) -> None:
    look = a_look(**changes)
    assert decide.confirm_traffic_increase(look).yes == (not held)
    assert decide.waits_for(look).endswith(held)
    assert decide.finding(look).verdict is not None, "to be held is no failed check"


@pytest.mark.parametrize(
    ("changes", "yes"),
    [
        ({"min_labels": 30}, True),
        ({"min_labels": 31}, False),
        ({"min_requests": 301}, False),
        # Blue-green without a mirror: nobody has asked the candidate before the switch, many have before it stays.
        ({"min_requests": 301, "weight": 0, "switches": True}, True),
        ({"weight": 0, "mirrored": True, "shadow": True}, False),
        ({"weight": 0, "shadow": True}, False),
        # Whatever Flagger makes of its iterations.
        ({"weight": 0, "shadow": True, "switches": True}, False),
        ({"weight": 100, "shadow": True}, False),
        ({"min_requests": 301, "weight": 100, "switches": True}, False),
        ({"min_requests": 301, "weight": 0}, False),
    ],
)
def test_a_promotion_waits_for_requests_then_labels(changes: Any, yes: bool) -> None:
    assert decide.confirm_promotion(a_look(**changes)).yes == yes


def test_a_rollout_begins_when_the_candidate_is_ready() -> None:
    assert decide.confirm_rollout(a_look()).yes
    assert not decide.confirm_rollout(a_look(ready=False)).yes
    assert decide.waits_for(a_look(ready=False, phase="Waiting")).endswith("waits until its InferenceService is Ready")


def test_a_target_that_points_back_in_mid_rollout_ends_it() -> None:
    look = a_look(candidate=None, candidate_version=None)
    assert decide.rollback(look).yes
    assert not decide.confirm_promotion(look).yes
    assert not decide.rollback(a_look(candidate=None, candidate_version=None, started=None)).yes


def test_what_was_promoted_before_flagger_was_stopped_may_be_promoted_again() -> None:
    look = a_look(candidate=None, candidate_version=None, vetted=True, counts=None, servers=None)
    assert not decide.rollback(look).yes
    assert decide.finding(look).verdict is not None
    assert decide.confirm_traffic_increase(look).yes
    assert decide.confirm_promotion(look).yes


def test_between_rollouts_nothing_is_waited_for() -> None:
    look = a_look(started=None, phase="Succeeded")
    assert isinstance(look, Look)
    assert decide.waits_for(look) == ""


def test_signals_depend_on_the_policy_alone() -> None:
    counts = a_look().counts
    assert counts is not None
    asked = POLICY.model_copy(update={"latency_p99_ms": 400.0, "correct_percent": 90.0})
    assert [each.name for each in decide.signals(POLICY, counts)] == ["errors", "slow-p95"]
    found = {each.name: round(each.allowed, 9) for each in decide.signals(asked, counts)}
    assert found == {"errors": 0.01, "slow-p95": 0.05, "slow-p99": 0.01, "wrong": 0.1}
    assert START
