from typing import Any

import pytest
from builders import a_plan, a_release, a_spec, an_environment
from hypothesis import given
from hypothesis import strategies as st

from slipway.compile import compile_model, refusals
from slipway.compile.refusals import RESERVED_ENV
from slipway.models.spec import ModelSpec
from slipway.rollout.plan import ModelPlan

V7, V8 = a_release(version=7), a_release(version=8)
STEADY = {"requests_per_second": 20}


def refused(*specs: ModelSpec, plan: ModelPlan | None = None, **settings: Any) -> list[str]:
    plans = {specs[0].name: plan} if plan else {}
    return refusals({spec.name: spec for spec in specs}, plans, an_environment(**settings))


def a_rollout(**changes: Any) -> dict[str, Any]:
    return {"strategy": "canary", "steps": [10, 100], "interval_seconds": 60, "threshold": 3, **changes}


def test_a_sound_plan_is_not_refused() -> None:
    assert refused(a_spec(), a_spec("fraud"), plan=a_plan(V7, V8)) == []


@pytest.mark.parametrize(("steps", "fixed"), [([50, 10, 100], "10, 50, 100"), ([10, 10, 100], "10, 100")])
def test_steps_must_strictly_increase(steps: list[int], fixed: str) -> None:
    got = ", ".join(map(str, steps))
    assert refused(a_spec(rollout={**STEADY, "steps": steps})) == [
        f"models/churn.yaml: rollout.steps: {got}: expected percentages that strictly increase; write {fixed}"
    ]
    assert refused(a_spec(rollout={**STEADY, "steps": [100]}), rollout=a_rollout(steps=steps)) == [
        f"Pulumi.staging.yaml: slipway:rollout.steps: {got}: expected percentages that strictly increase; write {fixed}"
    ]


def test_steps_are_refused_even_where_an_immediate_environment_overrides_them() -> None:
    spec = a_spec(rollout={**STEADY, "steps": [50, 10]})
    assert len(refused(spec, rollout=a_rollout(strategy="immediate"))) == 1


def test_a_first_step_that_cannot_gather_enough_requests_is_refused_with_the_numbers_that_would_do() -> None:
    spec = a_spec(rollout={"requests_per_second": 1, "steps": [1, 100]})
    assert refused(spec) == [
        "models/churn.yaml: rollout.steps: the first step, 1% of rollout.requests_per_second 1, brings 0.6 requests in"
        " 60 s, expected rollout.min_requests_per_step 20; start at 34 or set Pulumi.staging.yaml:"
        " slipway:rollout.interval_seconds to 2000 or more"
    ]
    assert refused(a_spec(rollout={"requests_per_second": 1, "steps": [34, 100]})) == []
    assert refused(spec, rollout=a_rollout(interval_seconds=2000)) == []


def test_a_first_step_of_the_environment_is_judged_by_the_models_traffic_too() -> None:
    (line,) = refused(a_spec(rollout={"requests_per_second": 1}), rollout=a_rollout())
    assert line.startswith(
        "models/churn.yaml: rollout.steps: (from Pulumi.staging.yaml: slipway:rollout.steps) the first step, 10%"
    )


def test_a_model_that_nobody_asks_enough_is_not_told_to_start_above_a_hundred_percent() -> None:
    (line,) = refused(a_spec(rollout={"requests_per_second": 0.1, "steps": [50, 100]}))
    assert line.endswith(
        "min_requests_per_step 20; set Pulumi.staging.yaml: slipway:rollout.interval_seconds to 400 or more"
    )


@given(
    st.floats(min_value=0.001, max_value=1000),
    st.integers(min_value=1, max_value=100),
    st.integers(min_value=1, max_value=1000),
    st.integers(min_value=10, max_value=3600),
)
def test_a_first_step_passes_exactly_if_it_brings_enough(rate: float, step: int, enough: int, interval: int) -> None:
    steps = [step] if step == 100 else [step, 100]
    spec = a_spec(rollout={"requests_per_second": rate, "steps": steps, "min_requests_per_step": enough})
    assert bool(refused(spec, rollout=a_rollout(interval_seconds=interval))) == (rate * interval * step / 100 < enough)


def test_an_immediate_environment_needs_no_traffic() -> None:
    spec = a_spec(rollout={"requests_per_second": 0.001})
    assert refused(spec, rollout=a_rollout(strategy="immediate")) == []


def test_a_model_that_scales_must_be_tried_at_its_full_traffic() -> None:
    scaling, steps = {"replicas": {"min": 2, "max": 6}}, [10, 50]
    (line,) = refused(a_spec(serving=scaling), rollout=a_rollout(steps=steps))
    assert "the last step is 50, expected 100, because serving.replicas lets the model scale" in line
    assert refused(a_spec(), rollout=a_rollout(steps=steps)) == []
    assert refused(a_spec(serving=scaling)) == []


@pytest.mark.parametrize(
    "suffix", ["-bad.example.com", "Models.example.com", "*.example.com", " ", "a..b", "a" * 64, "a." * 100 + "a"]
)
def test_a_host_suffix_must_be_a_domain(suffix: str) -> None:
    (line,) = refused(gateway={"name": "models", "namespace": "gateway", "host_suffix": suffix})
    assert line.startswith("Pulumi.staging.yaml: slipway:gateway.host_suffix: ")


def test_a_host_suffix_cannot_be_empty() -> None:
    with pytest.raises(Exception, match=r"gateway\.host_suffix"):
        an_environment(gateway={"name": "models", "namespace": "gateway", "host_suffix": ""})


@pytest.mark.parametrize(
    ("field", "settings"),
    [
        ("namespace", {"namespace": "m" * 64}),
        ("gateway.namespace", {"gateway": {"name": "a", "namespace": "b.c", "host_suffix": "d.e"}}),
        ("gateway.name", {"gateway": {"name": "A", "namespace": "b", "host_suffix": "d.e"}}),
        ("service_account", {"service_account": "my models"}),
        ("runtime", {"runtime": "kserve/mlserver"}),
    ],
)
def test_a_setting_that_names_an_object_must_be_a_name(field: str, settings: dict[str, Any]) -> None:
    (line,) = refused(**settings)
    assert line.startswith(f"Pulumi.staging.yaml: slipway:{field}: ")


@pytest.mark.parametrize(
    "other", ["churn-primary", "churn-canary", "churn-v1", "churn-v23", "churn-v1-predictor", "churn-v23-predictor"]
)
def test_a_model_named_like_an_object_of_another_is_refused(other: str) -> None:
    assert refused(a_spec("churn"), a_spec(other)) == [
        f"models/{other}.yaml: name: clashes with models/churn.yaml: {other} is also the name of an object of model"
        " churn, at some version; rename one of them"
    ]
    assert refused(a_spec("fraud"), a_spec(other)) == []


@pytest.mark.parametrize("other", ["churn-eu", "churn-v", "primary", "churn2", "churn-predictor", "churn-v1-eu"])
def test_a_model_whose_name_only_starts_like_another_is_taken(other: str) -> None:
    assert refused(a_spec("churn"), a_spec(other)) == []


@given(
    st.lists(st.from_regex(r"[ab](-v1|-primary|-canary|-predictor|-v2){0,3}", fullmatch=True), unique=True, max_size=6)
)
def test_models_that_are_taken_share_no_name_of_any_object(models: list[str]) -> None:
    specs = {name: a_spec(name) for name in models}
    if refusals(specs, {}, an_environment()):
        return
    taken: list[str] = []
    for name in models:
        plan = a_plan(a_release(name, 1), a_release(name, 2))
        compiled = compile_model(specs[name], plan, an_environment())
        taken += [found["metadata"]["name"] for found in (compiled.target, compiled.primary, compiled.canary_service)]
        for service in compiled.inference_services:
            taken += [service["metadata"]["name"], f"{service['metadata']['name']}-predictor"]
    assert len(taken) == len(set(taken))


def test_a_name_that_is_too_long_for_the_labels_that_kserve_derives_is_refused() -> None:
    longest, version = "m" * 45, a_release("m" * 45, 9)
    assert refused(a_spec(longest), plan=a_plan(version)) == []
    (line,) = refused(a_spec(longest), plan=a_plan(version, a_release(longest, 10)))
    assert line == (
        f"models/{longest}.yaml: name: InferenceService {longest}-v10 has 49 characters, the labels that KServe"
        " derives take 48; shorten the name by 1"
    )
    assert refused(a_spec("m" * 46)) != []


@pytest.mark.parametrize("name", sorted(RESERVED_ENV))
def test_a_variable_that_the_platform_sets_is_refused(name: str) -> None:
    (line,) = refused(a_spec(serving={"env": {name: "x", "OMP_NUM_THREADS": "1"}}))
    assert line.startswith(f"models/churn.yaml: serving.env.{name}: ")


def test_a_latency_that_the_histogram_cannot_show_is_refused() -> None:
    objectives = {"success_rate_percent": {"at_least": 99}, "latency_p95_ms": {"at_most": 9999}}
    assert refused(a_spec(objectives=objectives)) == []
    (line,) = refused(a_spec(objectives={**objectives, "latency_p99_ms": {"at_most": 10000}}))
    assert line == (
        "models/churn.yaml: objectives.latency_p99_ms: at most 10000 can never fail: its server's histogram ends at"
        " 10000 ms; set less than that"
    )


def test_a_timeout_that_a_route_cannot_take_is_refused() -> None:
    assert refused(a_spec(serving={"timeout_seconds": 99_999})) == []
    assert refused(a_spec(serving={"timeout_seconds": 100_000})) != []


def test_a_model_that_is_not_on_s3_is_refused() -> None:
    (line,) = refused(a_spec(), plan=a_plan(V7, a_release(version=8, uri="file:///tmp/model")))
    assert line.startswith("release churn/v8-")
    assert "artifact.uri: file:///tmp/model: expected s3://<bucket>/<path>" in line


def test_a_dataset_digest_over_some_rows_is_refused_where_the_environment_is_protected() -> None:
    plan = a_plan(V7, a_release(version=8, dataset="mlflow-weak:0123abcd"))
    assert refused(a_spec(), plan=plan) == []
    (line,) = refused(a_spec(), plan=plan, protect=True)
    assert "dataset.digest: mlflow-weak:0123abcd covers a part of the rows only, and staging is protected" in line


def test_a_release_that_misses_a_gate_is_refused() -> None:
    spec = a_spec(gates=[{"metric": "accuracy", "at_least": 0.95}, {"metric": "loss", "at_most": 1}])
    plan = a_plan(V7, a_release(version=8, metrics={"accuracy": 0.94}))
    lines = refused(spec, plan=plan)
    assert [line.partition(": release ")[0] for line in lines] == ["models/churn.yaml: gates"] * 2
    assert "accuracy is 0.94, expected at least 0.95" in lines[0]
    assert "loss is not recorded, expected at most 1" in lines[1]


def test_a_gate_does_not_judge_again_what_users_are_served_by() -> None:
    spec = a_spec(gates=[{"metric": "accuracy", "at_least": 0.95}])
    assert refused(spec, plan=a_plan(V7)) == []
    assert refused(spec, plan=a_plan(V7, live=None)) != []


def test_steps_that_lost_the_one_a_rollout_is_at_are_refused() -> None:
    """Flagger goes on from a weight that is no step with everything that is left (scheduler.go, nextStepWeight)."""
    assert refused(a_spec(), plan=a_plan(V7, V8, weight=25)) == []
    (line,) = refused(a_spec(), plan=a_plan(V7, V8, weight=30))
    assert line.startswith("models/churn.yaml: rollout.steps: 10, 25, 50, 100: a rollout is at 30%")


def test_another_strategy_in_the_middle_of_steps_is_refused_where_it_was_chosen() -> None:
    plan = a_plan(V7, V8, weight=25)
    (line,) = refused(a_spec(rollout={**STEADY, "strategy": "immediate"}), plan=plan)
    assert line == (
        "models/churn.yaml: rollout.strategy: immediate: a rollout of churn is at 25% by steps, and Flagger would go on"
        " with its numbers; keep 'canary' until it has settled"
    )
    (line,) = refused(a_spec(), plan=plan, rollout=a_rollout(strategy="immediate"))
    assert line.startswith("Pulumi.staging.yaml: slipway:rollout.strategy: immediate: a rollout of churn is at 25%")
    assert refused(a_spec(), plan=a_plan(V7, V8), rollout=a_rollout(strategy="immediate")) == []


def test_every_refusal_of_every_model_is_listed() -> None:
    specs = {name: a_spec(name, rollout={**STEADY, "steps": [2, 1]}) for name in ("a", "b", "c")}
    lines = refusals(specs, {}, an_environment())
    assert [line.partition(":")[0] for line in lines] == ["models/a.yaml", "models/b.yaml", "models/c.yaml"]
    assert not any("\n" in line for line in lines)


JUDGED = {"judge_url": "http://judge.slipway:9091"}
MIRRORING = {"name": "models", "namespace": "gateway", "host_suffix": "a.b", "mirrors": "gateway-api"}
LABELLED = {
    "success_rate_percent": {"at_least": 99},
    "latency_p95_ms": {"at_most": 250},
    "correct_percent": {"at_least": 90},
}
BETA = {"cookie": "beta", "value": "yes"}


def test_a_judge_holds_a_first_step_so_only_one_that_takes_longer_than_a_day_is_refused() -> None:
    slow = {"requests_per_second": 0.01, "steps": [1, 100], "min_requests_per_step": 8}
    assert refused(a_spec(rollout=slow), **JUDGED) == []
    assert refused(a_spec(rollout={**slow, "min_requests_per_step": 9}), **JUDGED) == [
        "models/churn.yaml: rollout.steps: the first step, 1% of rollout.requests_per_second 0.01, brings 8.64 requests"
        " in 86400 s, expected rollout.min_requests_per_step 9; start at 2 or set rollout.min_requests_per_step to 8 or"
        " less"
    ]


@pytest.mark.parametrize("strategy", ["blue-green", "ab", "shadow"])
def test_a_strategy_that_waits_for_a_word_is_refused_where_nobody_says_it(strategy: str) -> None:
    rollout = {**STEADY, "strategy": strategy, **({"audience": BETA} if strategy == "ab" else {})}
    (line,) = refused(a_spec(rollout=rollout), gateway=MIRRORING)
    assert line == (
        f"models/churn.yaml: rollout.strategy: {strategy} needs the judge, and staging has none; set"
        " Pulumi.staging.yaml: slipway:judge_url, or take 'canary'"
    )
    assert refused(a_spec(rollout=rollout), gateway=MIRRORING, **JUDGED) == []
    assert refused(a_spec(rollout=rollout), rollout=a_rollout(strategy="immediate")) == []


@pytest.mark.parametrize("way", ["gateway-api", "traefik"])
def test_a_shadow_runs_where_the_gateway_copies_requests_in_either_way(way: str) -> None:
    assert (
        refused(a_spec(rollout={**STEADY, "strategy": "shadow"}), gateway=MIRRORING | {"mirrors": way}, **JUDGED) == []
    )


def test_a_shadow_is_refused_where_the_gateway_cannot_copy_requests() -> None:
    assert refused(a_spec(rollout={**STEADY, "strategy": "shadow"}), **JUDGED) == [
        "models/churn.yaml: rollout.strategy: shadow needs a Gateway that copies requests, and Pulumi.staging.yaml:"
        " slipway:gateway.mirrors names no way; set it to 'gateway-api' (filter RequestMirror) or 'traefik' if the"
        " Gateway can, or take 'canary'"
    ]


def test_a_pause_at_a_weight_that_is_no_step_is_refused() -> None:
    paused = {**STEADY, "pauses": {10: 60, 30: 60}}
    assert refused(a_spec(rollout=paused), **JUDGED) == [
        "models/churn.yaml: rollout.pauses.30: 30 is none of the steps 10, 25, 50, 100 (Pulumi.staging.yaml:"
        " slipway:rollout.steps): nothing would pause; name one of them, or set rollout.steps"
    ]
    assert refused(a_spec(rollout={**paused, "steps": [10, 30, 100]}), **JUDGED) == []


def test_a_pause_that_nobody_keeps_is_refused() -> None:
    (line,) = refused(a_spec(rollout={**STEADY, "pauses": {10: 60}}))
    assert line.startswith("models/churn.yaml: rollout.pauses: pauses need the judge, and staging has none")


def test_a_pause_of_more_than_a_day_is_refused() -> None:
    assert refused(a_spec(rollout={**STEADY, "pauses": {10: 86_400}}), **JUDGED) == []
    (line,) = refused(a_spec(rollout={**STEADY, "pauses": {10: 86_401}}), **JUDGED)
    assert line.startswith("models/churn.yaml: rollout.pauses.10: 86401 s, expected at most 86400")


def test_labels_are_counted_for_an_objective_that_they_decide_or_not_at_all() -> None:
    assert refused(a_spec(objectives=LABELLED, rollout={**STEADY, "min_labels": 1}), **JUDGED) == []
    (unasked,) = refused(a_spec(rollout={**STEADY, "min_labels": 50}), **JUDGED)
    assert unasked.startswith("models/churn.yaml: rollout.min_labels: 50 labels without an objective for them")
    (unmet,) = refused(a_spec(objectives=LABELLED), **JUDGED)
    assert unmet.startswith("models/churn.yaml: rollout.min_labels: 0: a candidate without any label would meet")


def test_an_objective_for_labels_is_refused_where_nobody_compares_them() -> None:
    (line,) = refused(a_spec(objectives=LABELLED, rollout={**STEADY, "min_labels": 1}))
    assert line.startswith("models/churn.yaml: objectives.correct_percent: only the judge compares")


def test_more_labels_than_a_day_at_the_last_step_can_bring_are_refused() -> None:
    rollout = {"requests_per_second": 0.01, "steps": [50], "min_requests_per_step": 1, "min_labels": 433}
    assert refused(a_spec(objectives=LABELLED, rollout=rollout), **JUDGED) == [
        "models/churn.yaml: rollout.min_labels: 433, expected at most the 432 predictions that a day at the last step,"
        " 50% of rollout.requests_per_second 0.01, brings; set less"
    ]
    assert refused(a_spec(objectives=LABELLED, rollout={**rollout, "min_labels": 432}), **JUDGED) == []
