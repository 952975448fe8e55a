from dataclasses import replace
from typing import Any

import pytest
from builders import a_release, a_spec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from slipway.errors import ExitCode, SlipwayError
from slipway.models.pins import Rejection
from slipway.rollout.observed import SETTLED, ObservedModel, ObservedService, observe_all
from slipway.rollout.plan import ModelPlan, Wanted, follow, plan_model

V7, V8, V9 = (a_release(version=version) for version in (7, 8, 9))
RELEASES = {release.version: release for release in (V7, V8, V9)}
#: Every phase of Flagger (pkg/apis/flagger/v1beta1/status.go), with one that it does not have yet.
UNSETTLED = ("Initializing", "Waiting", "Progressing", "WaitingPromotion", "Promoting", "Finalising")
PHASES = (None, *sorted(SETTLED), *UNSETTLED, "Terminating", "Terminated", "SomethingNew")
BAD = "it answers nonsense"


def plan(stable: Any, candidate: Any = None, *rejected: Any, hold: str | None = None, **observed: Any) -> ModelPlan:
    rejections = tuple(Rejection(release=release.id, reason=BAD) for release in rejected)
    return plan_model(a_spec(), Wanted(stable, candidate, rejections, hold), ObservedModel(**observed))


def running(*releases: Any) -> dict[str, ObservedService]:
    return {
        f"churn-v{r.version}": ObservedService(r.version, r.id, True, "sha256:0", r.artifact.digest) for r in releases
    }


def test_what_was_rejected_after_its_promotion_serves_only_until_the_aliass_has_taken_over() -> None:
    bad = (Rejection(release=V8.id, reason=BAD),)
    wanted = follow(V7, V8, bad)
    assert (wanted.stable, wanted.candidate) == (V7, V8)
    back = plan_model(a_spec(), wanted, ObservedModel(8, 8, "Succeeded", running(V7, V8)))
    assert (back.target, back.live, back.declared) == (V7, V8, (V7, V8))
    # then, once the way back is promoted, nothing of it is left
    done = plan_model(a_spec(), follow(V7, V7, bad), ObservedModel(7, 7, "Succeeded", running(V7, V8)))
    assert done.declared == (V7,)


def test_a_candidate_that_is_held_back_keeps_running_off_the_target() -> None:
    held = Wanted(V7, V8, held_back=True)
    back = plan_model(a_spec(), held, ObservedModel(7, 8, "Failed", running(V7, V8)))
    assert (back.target, back.declared) == (V7, (V7, V8))
    with pytest.raises(SlipwayError, match="the rollout of churn-v8 is Progressing"):
        plan_model(a_spec(), held, ObservedModel(7, 8, "Progressing", running(V7, V8)))


def test_a_rejected_alias_leaves_what_is_live() -> None:
    wanted = follow(V8, V7, (Rejection(release=V8.id, reason=BAD),))
    back = plan_model(a_spec(), wanted, ObservedModel(7, 8, "Failed", running(V7, V8)))
    assert (back.target, back.declared) == (V7, (V7,))


def test_the_first_deployment_puts_the_target_on_the_stable_release() -> None:
    assert plan_model(a_spec(), Wanted(V7), None) == ModelPlan(V7, None, V7)


def test_a_candidate_waits_until_the_stable_release_serves() -> None:
    first = plan(V7, V8)
    assert (first.target, first.declared) == (V7, (V7, V8))
    assert "waits: its rollout starts from a settled state" in first.notices[0]


def test_a_candidate_waits_until_flagger_has_taken_the_target_for_promoted() -> None:
    """Flagger takes the target's first spec for the promoted one: moved earlier, the candidate would never be tried."""
    before = plan(V7, V8, live_version=7, target_version=7, phase=None)
    assert (before.target, before.declared) == (V7, (V7, V8))
    assert plan(V7, V8, live_version=7, target_version=8, phase=None).target == V7
    assert plan(V7, V8, live_version=8, target_version=8, phase=None).target == V8


@pytest.mark.parametrize("phase", sorted(SETTLED))
def test_the_target_moves_to_the_candidate_when_the_rollout_is_settled(phase: str) -> None:
    moved = plan(V7, V8, live_version=7, target_version=7, phase=phase)
    assert moved == ModelPlan(V7, V8, V8, live=V7)


@pytest.mark.parametrize("phase", UNSETTLED)
def test_the_target_stays_where_it_is_while_a_rollout_is_under_way(phase: str) -> None:
    same = plan(V7, V8, live_version=7, target_version=8, phase=phase, weight=25)
    assert (same.target, same.weight) == (V8, 25)
    assert same.notices == (f"churn: rollout of {V8.id} is under way ({phase}, 25% of the traffic)",)


@pytest.mark.parametrize("phase", [*UNSETTLED, "SomethingNew"])
@pytest.mark.parametrize("wanted", [(V7, V9), (V7, None)])
def test_another_release_is_refused_while_a_rollout_is_under_way(phase: str, wanted: tuple[Any, Any]) -> None:
    with pytest.raises(
        SlipwayError, match=rf"^churn: the rollout of churn-v8 is {phase}, so the target cannot"
    ) as error:
        plan(*wanted, live_version=7, target_version=8, phase=phase)
    assert error.value.exit_code is ExitCode.BUSY


@pytest.mark.parametrize("phase", ["Initialized", "Succeeded"])
def test_a_third_release_is_refused_while_a_rollout_is_about_to_start(phase: str) -> None:
    with pytest.raises(SlipwayError, match="the rollout of churn-v8 is about to start"):
        plan(V7, V9, live_version=7, target_version=8, phase=phase)
    # Back to what users get is always safe then: no run starts from it.
    assert plan(V7, None, live_version=7, target_version=8, phase=phase).target == V7


def test_a_promoted_candidate_keeps_the_target_with_a_word_to_record_it() -> None:
    promoted = plan(V7, V8, live_version=8, target_version=8, phase="Succeeded")
    assert (promoted.target, promoted.live, promoted.declared) == (V8, V8, (V7, V8))
    assert promoted.notices == (f"churn: {V8.id} is promoted; record it as stable to retire {V7.id}",)


def test_a_recorded_promotion_retires_the_old_release() -> None:
    assert plan(V8, live_version=8, target_version=8, phase="Succeeded") == ModelPlan(V8, None, V8, live=V8)


def test_a_failed_candidate_is_not_tried_again_by_itself() -> None:
    failed = plan(V7, V8, live_version=7, target_version=8, phase="Failed")
    assert failed.target == V8, "moved back by itself, it would be tried again by the next up, and again"
    assert failed.notices[0].startswith(f"churn: {V8.id} is not promoted: the last rollout failed, and {V7.id} serves")


def test_a_failed_candidate_gives_way_to_the_next() -> None:
    assert plan(V7, V9, live_version=7, target_version=8, phase="Failed").target == V9
    assert plan(V7, None, live_version=7, target_version=8, phase="Failed").target == V7


def test_a_rejected_candidate_is_never_taken() -> None:
    for target in (7, 8):
        kept = plan(V7, V8, V8, live_version=7, target_version=target, phase="Failed")
        assert (kept.target, kept.candidate) == (V7, None)
        assert kept.notices == (f"churn: {V8.id} was rejected ({BAD}); {V7.id} stays",)


def test_a_release_that_was_rejected_after_its_promotion_serves_until_the_stable_one_has_taken_over() -> None:
    back = plan(V7, V8, V8, live_version=8, target_version=8, phase="Succeeded")
    assert (back.target, back.declared, back.live) == (V7, (V7, V8), V8)
    assert "serves until" in back.notices[0]
    under_way = plan(V7, V8, V8, live_version=8, target_version=7, phase="Progressing")
    assert (under_way.target, under_way.declared) == (V7, (V7, V8))
    over = plan(V7, V8, V8, live_version=7, target_version=7, phase="Succeeded")
    assert (over.target, over.declared) == (V7, (V7,))


def test_a_rejected_stable_release_is_refused() -> None:
    with pytest.raises(SlipwayError, match=f"^churn: stable: release {V7.id} was rejected"):
        plan(V7, None, V7)


def test_a_stable_release_that_users_are_not_served_by_is_refused() -> None:
    with pytest.raises(SlipwayError, match="users are served by version 7; keep that version's release stable"):
        plan(V9, None, live_version=7, target_version=7, phase="Succeeded")


def test_on_hold_nothing_moves() -> None:
    waits = plan(V7, V8, hold="freeze", live_version=7, target_version=7, phase="Succeeded")
    assert (waits.target, waits.declared) == (V7, (V7, V8))
    assert waits.notices == ("churn: on hold (freeze); nothing moves",)
    goes_on = plan(V7, V8, hold="freeze", live_version=7, target_version=8, phase="Progressing")
    assert goes_on.target == V8


def test_a_candidate_of_the_stable_releases_version_is_refused() -> None:
    with pytest.raises(SlipwayError, match="both would be churn-v7; register a new version"):
        plan(V7, a_release(version=7, digest="sha256:" + "e" * 64))


def test_a_candidate_that_is_the_stable_release_is_none() -> None:
    assert plan(V7, V7).candidate is None


def test_a_release_of_another_model_is_refused() -> None:
    for wanted in ((a_release("fraud"), None), (V7, a_release("fraud", 8))):
        with pytest.raises(SlipwayError, match="belongs to model fraud"):
            plan(*wanted)


def test_a_version_that_runs_other_bytes_is_refused() -> None:
    other = a_release(version=7, digest="sha256:" + "e" * 64)
    with pytest.raises(SlipwayError, match=f"churn-v7 runs {other.artifact.digest}, but release {V7.id} is"):
        plan(V7, services=running(other))
    assert plan(V7, services=running(V7)).notices == ()


def test_a_version_whose_registry_record_changed_is_told_but_taken() -> None:
    recorded = a_release(version=7, metrics={"accuracy": 0.1})
    (notice,) = plan(V7, services=running(recorded)).notices
    assert notice.startswith(f"churn: churn-v7 was created as release {recorded.id}; its bytes are those of {V7.id}")


def test_an_alias_is_followed_by_way_of_a_candidate() -> None:
    assert follow(V8, None) == Wanted(V8)
    assert follow(V8, V7) == Wanted(V7, V8)
    assert follow(V7, V7) == Wanted(V7)


VERSIONS = st.sampled_from((None, 7, 8, 9))


@given(
    stable=st.sampled_from((V7, V8, V9)),
    candidate=st.sampled_from((None, V7, V8, V9)),
    rejected=st.sets(st.sampled_from((7, 8, 9))),
    hold=st.sampled_from((None, "freeze")),
    live=VERSIONS,
    target=VERSIONS,
    phase=st.sampled_from(PHASES),
)
@settings(max_examples=500)
def test_no_plan_breaks_an_invariant(
    stable: Any, candidate: Any, rejected: set[int], hold: Any, live: Any, target: Any, phase: Any
) -> None:
    bad = [RELEASES[version] for version in sorted(rejected)]
    observed = {"live_version": live, "target_version": target, "phase": phase}
    refusal = ""
    try:
        made = plan(stable, candidate, *bad, hold=hold, **observed)
    except SlipwayError as error:
        refusal = str(error)
    if refusal:
        assert refusal.startswith("churn: ")
        assert "\n" not in refusal
        return
    assert made.target in made.declared
    if live is not None:
        assert RELEASES[live] in made.declared, "what users are served by keeps running"
        assert made.live == RELEASES[live]
    else:
        assert made.target == stable
    if target is not None and phase is not None and phase not in SETTLED:
        assert made.target.version == target, "the target never moves while a rollout is under way"
    if made.target.version in rejected:
        assert phase is None or hold, "a rejected release is never taken again"
    if hold and live is not None and phase:
        assert made.target.version in (live, target)
    if live is not None:
        again = plan(stable, candidate, *bad, hold=hold, **{**observed, "target_version": made.target.version})
        assert (again.target, again.declared) == (made.target, made.declared), "the second up changes nothing"


class FollowedRollout(RuleBasedStateMachine):
    """An environment that follows an alias, with Flagger's own rules beside it (pkg/controller/scheduler.go)."""

    @initialize(version=st.sampled_from((7, 8, 9)))
    def start(self, version: int) -> None:
        self.alias = version
        self.seen = ObservedModel()
        self.declared: set[int] = set()
        self.applied = self.promoted = 0

    @rule(version=st.sampled_from((7, 8, 9)))
    def move_the_alias(self, version: int) -> None:
        self.alias = version

    @rule()
    def up(self) -> None:
        live = self.seen.live_version
        wanted = follow(RELEASES[self.alias], RELEASES[live] if live else None)
        try:
            made = plan_model(a_spec(), wanted, self.seen)
        except SlipwayError:
            return
        self.declared = {release.version for release in made.declared}
        self.seen = replace(self.seen, live_version=live or made.target.version, target_version=made.target.version)

    @rule(good=st.booleans())
    def tick(self, good: bool) -> None:
        seen, target = self.seen, self.seen.target_version
        if target is None:
            return
        match seen.phase:
            case None:
                self.applied = self.promoted = target
                self.seen = replace(seen, phase="Initialized")
            case "Progressing" if not good:
                self.seen = replace(seen, phase="Failed")
            case "Progressing":
                self.seen = replace(seen, phase="Promoting", live_version=target)
            case "Promoting":
                self.seen = replace(seen, phase="Finalising")
            case "Finalising":
                self.promoted = self.applied
                self.seen = replace(seen, phase="Succeeded")
            case _:
                changed = target not in (self.promoted, self.applied)
                self.applied = target
                if changed:
                    self.seen = replace(seen, phase="Progressing")

    @invariant()
    def what_users_are_served_by_runs(self) -> None:
        if hasattr(self, "seen") and self.seen.live_version is not None:
            assert self.seen.live_version in self.declared
            assert self.seen.target_version in self.declared

    def teardown(self) -> None:
        if not hasattr(self, "seen"):
            return
        for _ in range(12):
            self.up()
            self.tick(good=True)
        failed = self.seen.phase == "Failed" and self.seen.target_version == self.alias
        assert failed or self.seen.live_version == self.alias, "a followed alias is reached in the end"


TestFollowedRollout = FollowedRollout.TestCase


def live_objects() -> list[dict[str, Any]]:
    def service(name: str, version: int) -> dict[str, Any]:
        selector = {"app": f"isvc.churn-v{version}-predictor"}
        return {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": selector}}

    return [
        service("churn", 8),
        # Without our label: Flagger takes it away when it promotes.
        service("churn-primary", 7),
        service("churn-canary", 8),
        {
            "kind": "Service",
            "metadata": {"name": "fraud-primary"},
            "spec": {"selector": {"app": "isvc.fraud-v1-predictor"}},
        },
        {"kind": "Canary", "metadata": {"name": "churn"}, "status": {"phase": "Progressing"}},
        {
            "kind": "InferenceService",
            "metadata": {
                "name": "churn-v7",
                "labels": {"slipway.dev/model": "churn"},
                "annotations": {
                    "slipway.dev/release": V7.id,
                    "slipway.dev/serving-digest": "sha256:1",
                    "slipway.dev/model-digest": "sha256:2",
                },
            },
            "status": {
                "conditions": [{"type": "PredictorReady", "status": "True"}, {"type": "Ready", "status": "True"}]
            },
        },
        {
            "kind": "InferenceService",
            "metadata": {"name": "churn-v8", "labels": {"slipway.dev/model": "churn"}},
            "status": {
                "conditions": [{"type": "PredictorReady", "status": "True"}, {"type": "Ready", "status": "False"}]
            },
        },
        {"kind": "InferenceService", "metadata": {"name": "churn-v9"}},
        {
            "kind": "HTTPRoute",
            "metadata": {"name": "churn", "managedFields": [{"manager": "pulumi-kubernetes"}]},
            "spec": {"rules": [{"backendRefs": [{"name": "churn-primary"}, {"name": "churn-canary", "weight": 25}]}]},
        },
    ]


def test_the_state_of_a_model_is_read_from_its_live_objects() -> None:
    assert observe_all(["churn"], live_objects())["churn"] == ObservedModel(
        live_version=7,
        target_version=8,
        phase="Progressing",
        weight=25,
        services={
            "churn-v7": ObservedService(7, V7.id, True, "sha256:1", "sha256:2"),
            "churn-v8": ObservedService(8, "", False, "", ""),
        },
    )


def test_the_states_of_many_models_are_read_in_one_pass() -> None:
    seen = observe_all(["churn", "fraud", "new"], iter(live_objects()))
    assert [seen[name].live_version for name in ("churn", "fraud", "new")] == [7, 1, None]
    assert seen["new"] == ObservedModel()


@pytest.mark.parametrize("selector", [{}, {"app": "shop"}, {"app": "isvc.fraud-v1-predictor"}])
@pytest.mark.parametrize("name", ["churn", "churn-primary"])
def test_a_service_that_is_somebody_elses_is_refused(name: str, selector: dict[str, str]) -> None:
    found = {"kind": "Service", "metadata": {"name": name}, "spec": {"selector": selector}}
    with pytest.raises(
        SlipwayError, match=rf"^Service {name}: spec\.selector: expected the pods of one version of churn"
    ):
        observe_all(["churn"], [found])


def test_a_canary_without_a_status_has_no_phase() -> None:
    canary = {"kind": "Canary", "metadata": {"name": "churn"}}
    for found in (canary, {**canary, "status": {"phase": ""}}):
        assert observe_all(["churn"], [found])["churn"].phase is None
