"""Rollouts of really served models, under load, with one thing broken at a time.

Each fixture lets a round of rollouts happen, several models at once; the tests then look at what came of it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from live_rollouts import CANCER, DIABETES, MODELS, REGISTER, WINE, Round, component, servers, users
from local_stack import CANARY, ISVC, SERVICE, Stack

from slipway.clients.prometheus import Prometheus
from slipway.errors import ExitCode, SlipwayError
from slipway.rollout.cluster import ROUTE


@pytest.fixture(scope="module")
def stack(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(lab, tmp_path_factory.mktemp("faults"), [CANCER, DIABETES, WINE])
    made.start()
    yield made
    made.pulumi("destroy", "--yes", "--skip-preview")


@pytest.fixture(scope="module")
def first(stack: Stack) -> Round:
    """Labels of one model stay away, another's candidate keeps crashing, people disturb."""
    seen, stop = Round(), threading.Event()
    seen.changes.follow(stack, ROUTE, SERVICE, CANARY)

    def crash() -> None:
        stack.kube.wait_for(
            *CANARY, DIABETES, "models", lambda it: it["status"].get("canaryWeight", 0) >= 50, timeout=240
        )
        while not stop.wait(0.5):
            for pid in servers(stack.lab, f"{DIABETES}-v3"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    with users(stack.lab, CANCER, labels=False), users(stack.lab, DIABETES, WINE):
        for model in MODELS:
            stack.promote(3, model)
        stack.up()
        crashing = threading.Thread(target=crash, daemon=True)
        crashing.start()
        stack.phase("Progressing", model=WINE)
        stack.up()
        seen.seen["held"] = stack.phase("WaitingPromotion", "Failed", "Succeeded", model=CANCER)["status"]["phase"]
        seen.seen["held, served"] = stack.served(CANCER)
        stack.python(REGISTER, CANCER)
        stack.promote(4, CANCER)
        with pytest.raises(SlipwayError) as refused:
            stack.deployment().up()
        seen.seen["third version"] = refused.value
        with users(stack.lab, CANCER):
            stack.phase("Succeeded", "Failed", model=CANCER)
        stack.phase("Succeeded", "Failed", model=WINE)
        stack.phase("Succeeded", "Failed", model=DIABETES)
        stop.set()
        crashing.join()
        seen.end(stack, *MODELS)
    (sample,) = Prometheus(stack.lab.facts.url("prometheus")).query(f'flagger_canary_status{{name="{DIABETES}"}}')
    seen.seen["status"] = sample.value
    return seen


def test_users_of_the_primary_notice_nothing_of_any_of_it(first: Round) -> None:
    for model, counted in first.shares.items():
        assert counted.primary.requests > 500, model
        assert counted.primary.failed == 0, model


def test_a_candidate_that_crashes_is_taken_back(first: Round) -> None:
    assert (first.phases[DIABETES], first.served[DIABETES]) == ("Failed", f"{DIABETES}-v2")
    assert first.shares[DIABETES].canary.failed > 0


def test_without_labels_a_candidate_waits_and_with_them_it_is_promoted(first: Round) -> None:
    assert (first.seen["held"], first.seen["held, served"]) == ("WaitingPromotion", f"{CANCER}-v2")
    assert (first.phases[CANCER], first.served[CANCER]) == ("Succeeded", f"{CANCER}-v3")


def test_a_third_version_is_refused_while_the_second_is_tried(first: Round) -> None:
    assert first.seen["third version"].exit_code is ExitCode.BUSY
    assert f"{CANCER}-v3" in str(first.seen["third version"])


def test_an_up_in_the_middle_of_a_rollout_disturbs_nothing(first: Round) -> None:
    assert (first.phases[WINE], first.served[WINE]) == ("Succeeded", f"{WINE}-v3")


def test_invariant_2_the_canary_selects_the_candidate_before_it_gets_traffic(first: Round) -> None:
    for model in MODELS:
        chosen = next(at for at, service in first.changes.selected(f"{model}-canary") if service == f"{model}-v3")
        given = next(at for at, _, weight in first.changes.weights(model) if weight)
        assert chosen < given, model


def test_invariant_3_weights_sum_to_100_and_follow_the_steps(first: Round) -> None:
    for model in MODELS:
        weights = first.changes.weights(model)
        assert all(primary + canary == 100 for _, primary, canary in weights), model
        given = [canary for _, _, canary in weights]
        # The one whose candidate crashes at 50 never gets more.
        assert given == ([0, 10, 50, 0] if model == DIABETES else [0, 10, 50, 100, 0]), model


def test_invariant_4_what_failed_never_reaches_the_primary(stack: Stack, first: Round) -> None:
    assert [service for _, service in first.changes.selected(f"{DIABETES}-primary")] == [f"{DIABETES}-v2"]
    assert first.seen["status"] == 2, "Flagger's own metric says failed"


def test_invariant_6_what_is_promoted_is_what_was_tried(first: Round) -> None:
    for model in (CANCER, WINE):
        assert [service for _, service in first.changes.selected(f"{model}-primary")] == [f"{model}-v2", f"{model}-v3"]
        promoted = next(at for at, service in first.changes.selected(f"{model}-primary") if service == f"{model}-v3")
        # All of the traffic was the candidate's already, so this changes nothing for users.
        assert next(canary for at, _, canary in reversed(first.changes.weights(model)) if at < promoted) == 100
        status = next(
            it["status"]
            for _, it in reversed(first.changes.of("Canary", model))
            if it["status"]["phase"] == "Succeeded"
        )
        assert status["lastPromotedSpec"] == status["lastAppliedSpec"]


def test_invariant_14_kserve_writes_neither_the_route_nor_the_services(first: Round) -> None:
    for kind, suffix in (("HTTPRoute", ""), ("Service", ""), ("Service", "-primary"), ("Service", "-canary")):
        for model in MODELS:
            _, last = first.changes.of(kind, f"{model}{suffix}")[-1]
            writers = {entry["manager"] for entry in last["metadata"]["managedFields"]}
            assert writers, (kind, model)
            assert not any("kserve" in writer or writer == "manager" for writer in writers), writers


@pytest.fixture(scope="module")
def second(stack: Stack, first: Round) -> Round:
    """The version that was refused before gets its turn; Prometheus stops answering in the middle of it."""
    seen = Round()
    prometheus = component(stack.lab, "prometheus")
    with users(stack.lab, WINE, CANCER):
        stack.promote(2, DIABETES)
        stack.promote(2, WINE)
        stack.up()
        stack.kube.wait_for(*CANARY, WINE, "models", lambda it: it["status"].get("canaryWeight", 0) > 0, timeout=120)
        os.kill(prometheus, signal.SIGSTOP)
        try:
            stack.ended(f"{WINE}-v2")
        finally:
            os.kill(prometheus, signal.SIGCONT)
        # Where it had no traffic yet it got none meanwhile; now it is tried, and found out.
        stack.ended(f"{CANCER}-v4")
        seen.end(stack, WINE, CANCER)
    return seen


def test_what_nobody_measures_is_not_promoted(second: Round) -> None:
    assert second.phases == {WINE: "Failed", CANCER: "Failed"}
    assert second.served == {WINE: f"{WINE}-v3", CANCER: f"{CANCER}-v3"}
    assert all(counted.primary.failed == 0 for counted in second.shares.values())


@pytest.fixture(scope="module")
def third(stack: Stack, second: Round) -> Round:
    """The API server is killed in the middle of a rollout."""
    seen = Round()
    with users(stack.lab, DIABETES):
        stack.promote(3, CANCER)
        stack.promote(3, WINE)
        # Again what crashed before; nobody kills it this time.
        stack.promote(3, DIABETES)
        stack.up()
        stack.kube.wait_for(
            *CANARY, DIABETES, "models", lambda it: it["status"].get("canaryWeight", 0) >= 10, timeout=120
        )
        os.kill(component(stack.lab, "kube-apiserver"), signal.SIGKILL)
        stack.ended(f"{DIABETES}-v3")
        seen.end(stack, DIABETES)
    return seen


def test_a_rollout_goes_on_when_the_api_server_is_back(third: Round) -> None:
    assert (third.phases[DIABETES], third.served[DIABETES]) == ("Succeeded", f"{DIABETES}-v3")
    assert third.shares[DIABETES].primary.failed == 0


def test_after_all_of_it_up_retires_what_is_not_served_any_more(stack: Stack, third: Round) -> None:
    stack.up()
    stack.up("--expect-no-changes")
    running = sorted(item["metadata"]["name"] for item in stack.kube.list(*ISVC, "models"))
    assert running == [f"{CANCER}-v3", f"{DIABETES}-v3", f"{WINE}-v3"]
