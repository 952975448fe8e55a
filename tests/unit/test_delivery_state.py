"""Where a rollout stands, what comes next."""

from __future__ import annotations

from typing import Any

import pytest
from builders import an_environment
from rollouts import BEGAN, ENDED, MOVED, at, objects, route, state

from slipway.delivery.acts import Recorded, act
from slipway.rollout.state import states

NOW = at(ENDED, 5)
LATER = "2026-11-21T10:02:00Z"


@pytest.mark.parametrize(
    ("changes", "now", "situation"),
    [
        ({"phase": None}, NOW, "starting"),
        ({"phase": "Initializing", "target": 7}, NOW, "starting"),
        ({"phase": "Initialized", "target": 7}, NOW, "settled"),
        ({"phase": "Succeeded", "target": 7}, NOW, "settled"),
        ({"phase": "Failed", "target": 7}, NOW, "settled"),
        *(({"phase": each}, NOW, "running") for each in ("Waiting", "Progressing", "WaitingPromotion", "Promoting")),
        ({"phase": "Finalising", "live": 8}, NOW, "running"),
        ({"phase": "Failed"}, NOW, "failed"),
        ({"phase": "Failed", "moved": LATER}, at(LATER, 29), "pending"),
        ({"phase": "Failed", "moved": LATER}, at(LATER, 31), "swallowed"),
        ({"phase": "Succeeded", "moved": LATER}, at(LATER, 1), "pending"),
        ({"phase": "Initialized", "moved": MOVED}, at(MOVED, 31), "swallowed"),
    ],
)
def test_the_situation_is_read_from_selectors_first(changes: dict[str, Any], now: float, situation: str) -> None:
    assert state(**changes).situation(now) == situation


def test_a_model_that_is_not_there_is_absent() -> None:
    assert states(["churn"], [])["churn"].situation(NOW) == "absent"


def test_the_weight_is_the_routes_whatever_the_canary_says() -> None:
    seen = states(["churn"], [*objects(weight=0, phase="WaitingPromotion")[:4], route(50)])["churn"]
    assert (seen.weight, seen.status["canaryWeight"]) == (50, 0)
    no_route = states(["churn"], objects()[:4])["churn"]
    assert no_route.weight is None


def test_of_a_route_that_also_keeps_users_apart_the_splitting_rule_counts() -> None:
    """A rule for those who match, then everybody else (A/B); or a rule for those with a cookie (session affinity)."""
    assert (
        states(["churn"], [*objects()[:4], route(100, {"backendRefs": [{"name": "churn-primary"}]})])["churn"].weight
        == 100
    )
    splitting = route(25)["spec"]["rules"][0]
    splitting["backendRefs"][1]["filters"] = [{"type": "ResponseHeaderModifier"}]
    found = objects()
    found[3]["spec"]["analysis"]["sessionAffinity"] = {"cookieName": "side"}
    assert states(["churn"], [*found[:4], route(100, splitting)])["churn"].weight == 25


def test_an_abort_counts_only_for_the_candidate_that_it_names() -> None:
    def said(text: str) -> str:
        return state(annotations={"slipway.dev/abort": text}).abort

    assert said("churn-v8: it lies: badly") == "it lies: badly"
    assert said("churn-v8") == "no reason given"
    assert said("churn-v6: it lies") == ""
    assert state().abort == ""


PINNED = Recorded(stable=7, wanted=8)
BAD = {8: "it lies"}
DIRECT = an_environment("prod")
GITOPS = an_environment("prod", delivery="gitops", gitops={"repository": "https://git.example.com/manifests.git"})


@pytest.mark.parametrize(
    ("changes", "written", "following", "why"),
    [
        # what runs needs nobody, and says what waits behind it
        ({}, PINNED, "nothing", ""),
        ({}, Recorded(stable=7, wanted=9), "nothing", "v9 is queued: the next `slipway up` starts its rollout"),
        ({}, Recorded(wanted=9, rejected={9: "x"}), "nothing", ""),
        # failed
        ({"phase": "Failed"}, PINNED, "rollback", "v7 serves; reject v8, or `slipway rollout retry`"),
        ({"phase": "Failed"}, Recorded(wanted=9), "rollback", "v9 is queued"),
        ({"phase": "Failed"}, Recorded(stable=7, wanted=7, rejected=BAD), "up", "the target goes back to v7"),
        # promoted: pinned, then following an alias
        ({"phase": "Succeeded", "live": 8}, PINNED, "settle", "v8 is promoted; recording it lets v7 go"),
        ({"phase": "Succeeded", "live": 8}, Recorded(stable=7, wanted=9), "settle", "v9 is queued"),
        ({"phase": "Succeeded", "live": 8}, Recorded(wanted=8), "settle", "v8 is promoted"),
        ({"phase": "Succeeded", "live": 8}, Recorded(wanted=8, settled=8), "up", "retires v7"),
        ({"phase": "Succeeded", "live": 8}, Recorded(stable=8, wanted=8), "settle", "v8 is promoted"),
        ({"phase": "Succeeded", "live": 8}, Recorded(stable=8, wanted=8, settled=8), "up", "retires v7"),
        # promoted, then rejected
        ({"phase": "Succeeded", "live": 8}, Recorded(stable=7, wanted=8, rejected=BAD), "up", "a rollout back to v7"),
        ({"phase": "Succeeded", "live": 8}, Recorded(wanted=8, rejected=BAD), "rollback", "name the version to serve"),
        ({"phase": "Succeeded", "live": 8}, Recorded(wanted=7, rejected=BAD), "up", "a rollout back to v7 starts"),
        ({"phase": "Failed", "live": 8, "target": 7}, Recorded(stable=7, wanted=8, rejected=BAD), "retry", "way back"),
        # settled; a candidate that only waits for its turn is not what is left over
        ({"phase": "Initialized", "target": 7}, PINNED, "up", "v8 is queued"),
        ({"phase": "Succeeded", "target": 7, "running": (7,)}, Recorded(stable=7, wanted=7), "nothing", ""),
        ({"phase": "Succeeded", "target": 7, "running": (7,)}, PINNED, "up", "v8 is queued"),
        ({"phase": "Succeeded", "target": 7, "running": (7,)}, Recorded(wanted=9), "up", "v9 is queued"),
        ({"phase": "Failed", "target": 7, "running": (7,)}, Recorded(wanted=8, rejected=BAD), "nothing", ""),
        (
            {"phase": "Succeeded", "target": 7, "running": (7,)},
            Recorded(stable=7, wanted=8, hold="freeze"),
            "nothing",
            "on hold: freeze",
        ),
        (
            {"phase": "Succeeded", "target": 7, "running": (7,)},
            Recorded(stable=7, wanted=8, rejected=BAD),
            "settle",
            "the pins still name v8",
        ),
    ],
)
def test_what_comes_next(changes: dict[str, Any], written: Recorded, following: str, why: str) -> None:
    found = act(state(**{"target": 8, **changes}), written, DIRECT, NOW)
    assert found.next == following
    assert why in found.why


@pytest.mark.parametrize(
    ("changes", "written", "why"),
    [
        ({"phase": "Failed"}, Recorded(stable=7, wanted=7, rejected=BAD), "the target goes back to v7"),
        ({"phase": "Succeeded", "live": 8}, Recorded(stable=7, wanted=8, rejected=BAD), "a rollout back to v7 starts"),
        ({"phase": "Succeeded", "live": 8}, Recorded(wanted=8, settled=8), "retires v7"),
        (
            {"phase": "Initialized", "target": 7},
            PINNED,
            "v8 is queued: the next commit (`slipway render -s prod`) starts its rollout",
        ),
    ],
)
def test_where_models_come_by_git_a_commit_comes_next(changes: dict[str, Any], written: Recorded, why: str) -> None:
    found = act(state(**{"target": 8, **changes}), written, GITOPS, NOW)
    assert found.next == "render"
    assert why in found.why
    assert "up`" not in found.why


def test_a_model_begins_with_its_pair_which_no_commit_brings() -> None:
    pair = [each for each in objects(phase=None) if each["metadata"]["name"] in ("churn-primary", "churn-canary")]
    for there, environment, following in (([], GITOPS, "up"), (pair, GITOPS, "render"), (pair, DIRECT, "up")):
        found = act(states(["churn"], there)["churn"], PINNED, environment, NOW)
        assert (found.situation, found.next) == ("absent", following)
    assert act(states(["churn"], [])["churn"], Recorded(), GITOPS, NOW).next == "nothing"


def test_a_rollout_that_flagger_has_missed_is_to_be_tried_again() -> None:
    found = act(state(phase="Failed", moved=LATER), PINNED, DIRECT, at(LATER, 60))
    assert (found.situation, found.next) == ("swallowed", "retry")
    assert found.why == "the target selects v8, but no rollout of it began: Flagger missed it; v7 serves"


def test_what_a_rollout_waits_for_is_said() -> None:
    def waits(**changes: Any) -> str:
        return act(state(**changes), PINNED, DIRECT, at(BEGAN)).waits_for

    assert waits() == "the next analysis, every 10 s"
    assert waits(phase="Waiting") == "v8 to be Ready, or an approval"
    assert waits(phase=None) == "Flagger to take it over"
    assert waits(annotations={"slipway.dev/abort": "churn-v8: it lies"}) == "Flagger to take the traffic back (it lies)"
