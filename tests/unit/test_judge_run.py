"""What the cluster shows of a rollout."""

from __future__ import annotations

from typing import Any

import pytest
from judging import POLICY

from slipway.errors import SlipwayError
from slipway.judge import run
from slipway.rollout import canary as canaries
from slipway.rollout.canary import ABORT
from slipway.rollout.state import states


def a_route(primary: int, canary: int, *, mirror: bool = False) -> dict[str, Any]:
    backends = [{"name": "churn-primary", "weight": primary}, {"name": "churn-canary", "weight": canary}]
    mirrored = [{"type": "RequestMirror", "requestMirror": {"backendRef": {"name": "churn-canary"}}}]
    return {"spec": {"rules": [{"backendRefs": backends, **({"filters": mirrored} if mirror else {})}]}}


def objects(target: int = 2, canary: int = 2, live: int = 1, **changes: Any) -> list[dict[str, Any]]:
    def service(name: str, version: int) -> dict[str, Any]:
        selector = {"app": f"isvc.churn-v{version}-predictor"}
        return {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": selector}}

    condition = {"type": "Promoted", "status": "Unknown", "lastTransitionTime": "2026-11-21T16:00:00Z"}
    status = {
        "phase": "Progressing",
        "failedChecks": 1,
        "lastTransitionTime": "2026-11-21T16:01:00Z",
        "conditions": [condition],
        **changes.pop("status", {}),
    }
    analysis = {"interval": "1m30s", "threshold": 3, "stepWeights": [10, 100], **changes.pop("analysis", {})}
    annotations = changes.pop("annotations", {})
    made = {"kind": "Canary", "metadata": {"name": "churn", "annotations": annotations}, "status": status}
    isvc = {
        "kind": "InferenceService",
        "metadata": {"name": "churn-v2", "labels": {"slipway.dev/model": "churn"}},
        "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    }
    trio = [service("churn", target), service("churn-primary", live), service("churn-canary", canary)]
    return [{**made, "spec": {"analysis": analysis}}, *trio, isvc]


def seen(route: Any = None, **changes: Any) -> run.Run:
    found = [*objects(**changes), *([{"kind": "HTTPRoute", "metadata": {"name": "churn"}, **route}] if route else [])]
    return run.of("models", states(["churn"], found)["churn"])


def test_a_rollout_is_put_together_from_all_its_objects() -> None:
    found = seen(a_route(90, 10))
    assert (found.candidate, found.candidate_version, found.stable) == ("churn-v2", 2, "churn-v1")
    assert (found.weight, found.mirrored, found.ready, found.moved) == (10, False, True, False)
    assert (found.started, found.since, found.interval) == (1795276800.0, 1795276860.0, 90.0)
    assert (found.failed_checks, found.threshold, found.steps) == (1, 3, (10, 100))


def test_a_target_on_what_users_have_has_no_candidate() -> None:
    assert seen(target=1, canary=1).candidate is None


def test_a_target_that_has_just_moved_is_seen() -> None:
    assert seen(canary=1).moved


@pytest.mark.parametrize(
    ("status", "promoted"), [("True", "Succeeded"), ("False", "Failed"), ("Unknown", "Initializing")]
)
def test_between_rollouts_nothing_has_started(status: str, promoted: str) -> None:
    condition = {"type": "Promoted", "status": status, "lastTransitionTime": "2026-11-21T16:00:00Z"}
    assert seen(status={"phase": promoted, "conditions": [condition]}).started is None
    assert seen(status={"conditions": []}).started is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("churn-v2: the invoices are wrong", "the invoices are wrong"),
        ("churn-v2", "no reason given"),
        ("churn-v1: of the version before", ""),
        ("", ""),
    ],
)
def test_an_abort_counts_for_the_candidate_that_it_names(text: str, reason: str) -> None:
    assert seen(annotations={ABORT: text}).aborted == reason


def test_weights_are_the_routes() -> None:
    assert canaries.weights("churn", None, {}) == (0, False)
    assert canaries.weights("churn", a_route(100, 0, mirror=True), {}) == (0, True)
    ab = a_route(0, 100)
    ab["spec"]["rules"].append({"backendRefs": [{"name": "churn-primary", "weight": 100}]})
    assert canaries.weights("churn", ab, {}) == (100, False)


def test_with_session_affinity_the_rule_that_splits_counts() -> None:
    sticky, splits = a_route(0, 100), a_route(75, 25)
    splits["spec"]["rules"][0]["backendRefs"][1]["filters"] = [{"type": "ResponseHeaderModifier"}]
    both = {"spec": {"rules": [*splits["spec"]["rules"], *sticky["spec"]["rules"]]}}
    assert canaries.weights("churn", both, {"spec": {"analysis": {"sessionAffinity": {"cookieName": "side"}}}}) == (
        25,
        False,
    )


@pytest.mark.parametrize(
    ("analysis", "iterations", "switches"),
    [
        ({"iterations": 3}, 3, True),
        ({"iterations": 3}, 4, False),
        ({"iterations": 3, "match": [{}]}, 3, False),
        ({}, 0, False),
    ],
)
def test_blue_green_switches_before_its_last_iteration(analysis: Any, iterations: int, switches: bool) -> None:
    assert seen(analysis=analysis, status={"iterations": iterations}).switches == switches


def test_the_policy_is_the_canarys() -> None:
    metric = {"name": "evidence", "templateVariables": {"policy": POLICY.text()}}
    canary = objects(analysis={"metrics": [metric]})[0]
    assert run.policy_of(canary) == POLICY
    with pytest.raises(SlipwayError, match=r"Canary churn: spec\.analysis: expected a policy"):
        run.policy_of(objects()[0])


def test_a_tick_is_never_shorter_than_flaggers() -> None:
    assert seen(analysis={"interval": "1s"}).interval == 10
