"""Every object that is compiled, before the real API server with KServe's and Flagger's own definitions and webhooks.

Nothing is created: dry runs pass through defaulting, validation, admission, and stop before the store.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
from builders import a_plan, a_release, a_spec, an_environment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway.clients.kube import Kube, KubeError
from slipway.compile import compile_model, compile_shared, refusals
from slipway.objects import Object
from slipway.settings.environment import Environment

V7, V8 = a_release(version=7), a_release(version=8)
#: Kinds whose fields a CRD defines.
CUSTOM = {
    "InferenceService": "inferenceservices.serving.kserve.io",
    "Canary": "canaries.flagger.app",
    "MetricTemplate": "metrictemplates.flagger.app",
    "TraefikService": "traefikservices.traefik.io",
    "IngressRoute": "ingressroutes.traefik.io",
}
#: Maps whose keys are free.
FREE = {"labels", "annotations", "selector", "requests", "limits", "templateVariables", "headers"}
#: Keys of our own in maps that are free, named like one that is not.
OURS = {"policy"}

FULL = a_spec(
    serving={
        "cpu": "1500m",
        "memory": "1536Mi",
        "gpus": 1,
        "replicas": {"min": 2, "max": 6},
        "timeout_seconds": 5,
        "env": {"OMP_NUM_THREADS": "1"},
    },
    objectives={
        "success_rate_percent": {"at_least": 99.5},
        "latency_p95_ms": {"at_most": 250},
        "latency_p99_ms": {"at_most": 400.5},
        "correct_percent": {"at_least": 90},
    },
    rollout={"requests_per_second": 20, "min_labels": 50, "pauses": {10: 60}},
)
IMMEDIATE = {"strategy": "immediate", "steps": [100], "interval_seconds": 10, "threshold": 1}
JUDGE = "http://judge.slipway:9091"
STRATEGIES: dict[str, dict[str, Any]] = {
    "canary": {"steps": [1, 50, 100], "pauses": {1: 3600}},
    "immediate": {},
    "blue-green": {},
    "ab": {"audience": {"header": "X-Beta", "value": "yes"}},
    "ab by cookie": {"strategy": "ab", "audience": {"cookie": "beta", "value": "yes"}},
    "shadow": {},
}
ROLLOUTS = {
    name: {"strategy": name, "requests_per_second": 20, "min_requests_per_step": 1, **fields}
    for name, fields in STRATEGIES.items()
}


MIRRORING = {"name": "models", "namespace": "gateway-system", "host_suffix": "models.example.com", "mirrors": "traefik"}


#: Empty, so that no object is there already.
NAMESPACE = "test-objects"


@pytest.fixture(scope="module")
def environment(lab: Any) -> Environment:
    lab.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    runtime = lab.kube.list("serving.kserve.io/v1alpha1", "ClusterServingRuntime")[0]
    return an_environment(namespace=NAMESPACE, runtime=runtime["metadata"]["name"], judge_url=JUDGE)


def compiled(environment: Environment, spec: Any = FULL) -> list[Object]:
    model = compile_model(spec, a_plan(V7, V8), environment)
    trio = [model.target, model.primary, model.canary_service]
    return [*model.inference_services, *trio, model.canary, *compile_shared(environment)]


def named(found: Object) -> str:
    return f"{found['kind']} {found['metadata']['name']}"


SCALING = [
    a_spec(cost_center="growth", serving={"replicas": {"max": 3}, "scaling": {"metric": metric, "target": 50}})
    for metric in ("cpu", "memory", "requests")
]


@pytest.mark.parametrize(
    "spec", [FULL, a_spec(), *SCALING], ids=["everything set", "defaults", "by CPU", "by memory", "by requests"]
)
def test_every_object_is_accepted_as_it_is(lab: Any, environment: Environment, spec: Any) -> None:
    for sent in compiled(environment, spec):
        assert lost(sent, lab.kube.create(sent, dry_run=True), named(sent)) == []


def test_a_model_whose_payloads_are_sent_is_accepted_as_it_is(lab: Any, environment: Environment) -> None:
    sent = compiled(environment.model_copy(update={"payloads_url": "http://slipway-observe.slipway:9092"}))[0]
    assert sent["spec"]["predictor"]["logger"]["mode"] == "all"
    assert lost(sent, lab.kube.create(sent, dry_run=True), named(sent)) == []


def test_the_canary_of_an_immediate_environment_is_accepted(lab: Any, environment: Environment) -> None:
    immediate = an_environment(namespace=environment.namespace, rollout=IMMEDIATE)
    canary = compile_model(FULL, a_plan(V7), immediate).canary
    assert lost(canary, lab.kube.create(canary, dry_run=True), named(canary)) == []


@pytest.mark.parametrize("rollout", ROLLOUTS.values(), ids=ROLLOUTS)
def test_the_canary_of_every_strategy_is_accepted_as_it_is(lab: Any, environment: Environment, rollout: Any) -> None:
    canary = compile_model(a_spec(rollout=rollout), a_plan(V7, V8), environment).canary
    assert lost(canary, lab.kube.create(canary, dry_run=True), named(canary)) == []


def shadowed(environment: Environment) -> tuple[Object, ...]:
    """What copies requests to a shadow, by Traefik."""
    gateway = environment.gateway.model_copy(update={"mirrors": "traefik"})
    model = compile_model(
        a_spec(rollout=ROLLOUTS["shadow"]), a_plan(V7, V8), environment.model_copy(update={"gateway": gateway})
    )
    assert len(model.copies) == 2
    return model.copies


def test_what_copies_requests_to_a_shadow_is_accepted_as_it_is(lab: Any, environment: Environment) -> None:
    for sent in shadowed(environment):
        assert lost(sent, lab.kube.create(sent, dry_run=True), named(sent)) == []


def test_the_canary_of_a_shadow_by_gateway_api_is_accepted_as_it_is(lab: Any, environment: Environment) -> None:
    gateway = environment.gateway.model_copy(update={"mirrors": "gateway-api"})
    settings = environment.model_copy(update={"gateway": gateway})
    canary = compile_model(a_spec(rollout=ROLLOUTS["shadow"]), a_plan(V7, V8), settings).canary
    assert canary["spec"]["analysis"]["mirror"] is True
    assert lost(canary, lab.kube.create(canary, dry_run=True), named(canary)) == []


def test_iterations_beside_step_weights_are_refused(lab: Any, environment: Environment) -> None:
    canary = compile_model(a_spec(rollout=ROLLOUTS["blue-green"]), a_plan(V7, V8), environment).canary
    canary["spec"]["analysis"]["stepWeights"] = [100]
    with pytest.raises(KubeError, match="must validate one and only one schema"):
        lab.kube.create(canary, dry_run=True)


def lost(sent: Any, got: Any, path: str) -> list[str]:
    """List what the server dropped or rewrote; what it added is its own."""
    if isinstance(sent, dict) and isinstance(got, dict):
        return [line for key in sent for line in lost(sent[key], got.get(key), f"{path}.{key}")]
    if isinstance(sent, list) and isinstance(got, list) and all(isinstance(item, dict) for item in [*sent, *got]):
        by_name = {item.get("name"): item for item in got}
        return [line for item in sent for line in lost(item, by_name.get(item.get("name")), f"{path}[]")]
    return [] if sent == got else [f"{path}: {sent!r} became {got!r}"]


def test_every_misspelt_field_is_refused(lab: Any, environment: Environment) -> None:
    answers = {}
    for sent in [*(compiled(environment)[index] for index in (0, 2, 5, 6)), *shadowed(environment)]:
        for path, broken in misspelt(sent, named(sent)):
            try:
                lab.kube.create(broken, dry_run=True)
            except KubeError as error:
                answers[path] = error.status
            else:
                answers[path] = 0
    assert {path: status for path, status in answers.items() if status not in (400, 422)} == {}
    assert len(answers) > 70


def misspelt(sent: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield the object once for each of its fields, with a letter too many in that field."""
    items = sent.items() if isinstance(sent, dict) else enumerate(sent) if isinstance(sent, list) else ()
    for key, value in items:
        rest = {k: v for k, v in sent.items() if k != key} if isinstance(sent, dict) else {}
        # Without these a request has no address.
        if isinstance(key, str) and key not in {"apiVersion", "kind", "metadata", "namespace", *OURS}:
            yield f"{path}.{key}", {**rest, f"{key}x": value}
        if key not in FREE:
            for deeper, broken in misspelt(value, f"{path}.{key}"):
                yield (
                    deeper,
                    [*sent[:key], broken, *sent[key + 1 :]] if isinstance(sent, list) else {**sent, key: broken},
                )


def test_an_unknown_field_is_refused_by_its_name(lab: Any, environment: Environment) -> None:
    service = compiled(environment)[0]
    service["spec"]["predictor"]["minReplica"] = 1
    with pytest.raises(KubeError, match=r'unknown field "spec\.predictor\.minReplica"'):
        lab.kube.create(service, dry_run=True)


def test_kserves_webhooks_take_part(lab: Any, environment: Environment) -> None:
    service = compiled(environment)[0]
    # The mutating one fills in the mode from KServe's own configuration.
    del service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"]
    got = lab.kube.create(service, dry_run=True)
    assert got["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    # The validating one knows which variables are dangerous.
    service["spec"]["predictor"]["model"]["env"].append({"name": "PYTHONPATH", "value": "/tmp"})
    with pytest.raises(KubeError, match="setting PYTHONPATH in container"):
        lab.kube.create(service, dry_run=True)


@pytest.fixture(scope="module")
def schemas(lab: Any) -> dict[str, jsonschema_rs.Validator]:
    return {kind: jsonschema_rs.validator_for(schema(lab.kube, kind)) for kind in CUSTOM}


def schema(kube: Kube, kind: str) -> Object:
    definition = kube.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", CUSTOM[kind])
    (served,) = [version for version in definition["spec"]["versions"] if version["storage"]]
    return strict(served["schema"]["openAPIV3Schema"])


def strict(node: Any) -> Any:
    """Forbid what a definition does not name; as they are shipped, definitions prune it silently."""
    if isinstance(node, list):
        return [strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: strict(value) for key, value in node.items()}
    if node.get("x-kubernetes-int-or-string"):
        return {**node, "type": ["integer", "string"]}
    if "properties" in node and node.get("type") == "object" and not node.get("x-kubernetes-preserve-unknown-fields"):
        return {"additionalProperties": False, **node}
    return node


@given(
    serving=st.fixed_dictionaries(
        {
            "cpu": st.integers(1, 9999).map(lambda m: str(m // 1000) if m % 1000 == 0 else f"{m}m"),
            "memory": st.integers(1, 1023).map(lambda n: f"{n}Mi"),
            "gpus": st.integers(0, 8),
            "replicas": st.integers(1, 9).flatmap(
                lambda n: st.fixed_dictionaries({"min": st.just(n), "max": st.integers(n, 20)})
            ),
            "timeout_seconds": st.integers(1, 99_999),
            "env": st.dictionaries(st.from_regex(r"[A-Z_]{1,8}", fullmatch=True), st.text(max_size=9)),
        }
    ),
    steps=st.lists(st.integers(1, 100), min_size=1, max_size=6, unique=True).map(sorted),
    at_most=st.floats(0.001, 1e6),
    strategy=st.sampled_from(sorted(ROLLOUTS)),
    name=st.from_regex(r"[a-z]([-a-z0-9]{0,43}[a-z0-9])?", fullmatch=True),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_not_refused_fits_the_definitions(
    schemas: dict[str, jsonschema_rs.Validator],
    serving: Any,
    steps: list[int],
    at_most: float,
    strategy: str,
    name: str,
) -> None:
    objectives = {"success_rate_percent": {"at_least": 99.9}, "latency_p95_ms": {"at_most": at_most}}
    rollout = {**ROLLOUTS[strategy], **({"steps": steps, "pauses": {}} if strategy == "canary" else {})}
    spec = a_spec(name, serving=serving, objectives=objectives, rollout=rollout)
    plan = a_plan(a_release(name, 7), a_release(name, 8))
    environment = an_environment(judge_url=JUDGE, gateway=MIRRORING)
    if refusals({name: spec}, {name: plan}, environment):
        return
    model = compile_model(spec, plan, environment)
    for sent in (*model.inference_services, model.canary, *model.copies, *compile_shared(environment)):
        problems = [error.message for error in schemas[sent["kind"]].iter_errors(sent)]
        assert problems == [], json.dumps(sent)
