"""LLMs: what they compile to, how their traffic moves."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from builders import a_plan, a_release, a_spec, an_environment
from projects import Project
from pydantic import ValidationError

from slipway.compile import compile_llm, refusals
from slipway.delivery.acts import Recorded
from slipway.delivery.books import Books
from slipway.delivery.llm import row, step
from slipway.errors import ExitCode, SlipwayError
from slipway.models.llm import Llm
from slipway.models.pins import Pin
from slipway.models.spec import ModelSpec
from slipway.planning.environment import plan_environment
from slipway.rollout import llm as llm_rollout
from slipway.rollout.observed import ObservedModel
from slipway.settings.checkout import Checkout

MODEL = "assistant"
V7, V8 = a_release(MODEL, 7), a_release(MODEL, 8)
ENVIRONMENT = an_environment()


def llm(**changes: Any) -> ModelSpec:
    serving = {"cpu": "8", "memory": "64Gi", "gpus": 2, "replicas": {"min": 2, "max": 2}}
    return a_spec(MODEL, **{"serving": serving, "llm": {}, **changes})


def compiled(spec: ModelSpec, **plan: Any) -> dict[str, Any]:
    services = compile_llm(spec, a_plan(V7, V8, **plan), ENVIRONMENT).inference_services
    return {each["metadata"]["name"]: each for each in services}


def weights(services: dict[str, Any]) -> dict[str, int]:
    return {name: each["spec"]["router"]["route"]["weight"] for name, each in services.items()}


def test_every_release_is_one_service_of_one_group_and_one_name():
    services = compiled(llm())
    assert {each["spec"]["router"]["route"]["group"] for each in services.values()} == {MODEL}
    # Only members that are called alike share a route (kserve pkg/controller/v1alpha2/llmisvc/router_group.go).
    assert {each["spec"]["model"]["name"] for each in services.values()} == {MODEL}
    assert [each["spec"]["model"]["uri"] for each in services.values()] == [V7.artifact.uri, V8.artifact.uri]


def test_what_is_new_begins_without_traffic():
    assert weights(compiled(llm())) == {"assistant-v7": 100, "assistant-v8": 0}
    # After a promotion that is not written down yet, and before the first deployment.
    assert weights(compiled(llm(), live=V8)) == {"assistant-v7": 0, "assistant-v8": 100}
    assert weights(compiled(llm(), live=None)) == {"assistant-v7": 100, "assistant-v8": 0}


def test_a_weight_is_no_part_of_what_is_served():
    before, after = compiled(llm()), compiled(llm(), live=V8)
    assert [each["metadata"] for each in before.values()] == [each["metadata"] for each in after.values()]


def test_settings_of_vllm_become_its_arguments():
    settings = {
        "context_tokens": 8192,
        "concurrent_requests": 64,
        "gpu_memory_percent": 85,
        "quantization": "fp8",
        "prefix_caching": False,
        "kv_cache": "20Gi",
        "path": "model",
        "arguments": ["--dtype=bfloat16"],
    }
    spec = compiled(llm(llm=settings))["assistant-v8"]["spec"]
    (container,) = spec["template"]["containers"]
    assert {each["name"]: each["value"] for each in container["env"]} == {
        "VLLM_ADDITIONAL_ARGS": "--gpu-memory-utilization=0.85 --max-model-len=8192 --max-num-seqs=64"
        " --quantization=fp8 --no-enable-prefix-caching --dtype=bfloat16"
    }
    assert spec["model"]["uri"] == f"{V8.artifact.uri}/model"
    assert spec["kvCacheOffloading"] == {"cpu": "20Gi"}
    assert spec["parallelism"] == {"tensor": 2}
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert "scheduler" not in spec["router"]
    assert compiled(llm(llm={"scheduler": True}))["assistant-v8"]["spec"]["router"]["scheduler"] == {}


def test_the_weights_are_copied_onto_nodes_where_that_is_asked_for():
    spec = llm(llm={"node_cache": {"node_groups": ["gpu"], "size": "40Gi"}, "path": "model"})
    cache = compile_llm(spec, a_plan(V7), ENVIRONMENT).caches[0]
    assert cache["spec"] == {
        "sourceModelUri": f"{V7.artifact.uri}/model",
        "modelSize": "40Gi",
        "nodeGroups": ["gpu"],
    }
    assert compile_llm(llm(), a_plan(V7), ENVIRONMENT).caches == ()


@pytest.mark.parametrize("argument", ["--x=$(id)", "--x='y'", "x", "--x y", "--x=a;b", "--a={}"])
def test_no_argument_reaches_the_shell(argument):
    with pytest.raises(ValidationError):
        Llm.model_validate({"arguments": (argument,)})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"serving": {"replicas": {"min": 1, "max": 2}}}, "an LLM keeps its replicas"),
        ({"rollout": {"requests_per_second": 1, "strategy": "shadow"}}, "expected rollout.strategy 'canary'"),
    ],
)
def test_what_vllm_here_cannot_do_is_refused_in_the_spec(changes, said):
    with pytest.raises(ValidationError, match=said):
        llm(**changes)


def test_what_an_environment_cannot_do_is_refused_at_preview():
    spec = llm(serving={"env": {"VLLM_ADDITIONAL_ARGS": "--x"}})
    gitops = an_environment(delivery="gitops", gitops={"repository": "https://example.com/tree.git"})
    first, second = refusals({MODEL: spec}, {}, gitops)
    assert first.startswith("models/assistant.yaml: llm: Slipway moves its weights in the cluster, and Argo CD would")
    assert second.endswith("VLLM_ADDITIONAL_ARGS: set by the platform; write llm.arguments")
    of_ours = an_environment(platform={"gateway": {}})
    (third,) = refusals({MODEL: llm(llm={"scheduler": True})}, {}, of_ours)
    assert "llm.scheduler: needs a Gateway that routes to InferencePools" in third
    # Neither MLServer's histogram nor Flagger's counts have to do with it.
    slow = llm(objectives={"success_rate_percent": {"at_least": 99}, "latency_p95_ms": {"at_most": 60_000}})
    assert refusals({MODEL: slow}, {MODEL: a_plan(V7, V8)}, ENVIRONMENT) == []


class Cluster:
    """A group of two, as the API server shows it."""

    def __init__(self, *shares: int, ready: str = "True") -> None:
        self.there = deepcopy(list(compiled(llm()).values()))
        for number, (each, share) in enumerate(zip(self.there, shares, strict=True)):
            each["metadata"]["creationTimestamp"] = f"2026-01-0{number + 1}T00:00:00Z"
            each["spec"]["router"]["route"]["weight"] = share
            each["status"] = {"conditions": [{"type": "Ready", "status": ready}]}
        self.order: list[str] = []

    @property
    def weights(self) -> dict[str, int]:
        return weights({each["metadata"]["name"]: each for each in self.there})

    def list(self, *_: Any) -> list[dict[str, Any]]:
        return self.there

    def patch(self, api_version: str, kind: str, name: str, namespace: str, body: Any) -> None:
        (found,) = [each for each in self.there if each["metadata"]["name"] == name]
        found["spec"]["router"]["route"] |= body["spec"]["router"]["route"]
        self.order.append(name)


@pytest.mark.parametrize(
    ("shares", "live", "target", "phase", "weight"),
    [
        ((100, 0), 7, 7, "Succeeded", 0),
        ((90, 10), 7, 8, "Progressing", 10),
        ((50, 50), 7, 8, "Progressing", 50),
        ((0, 100), 8, 8, "Succeeded", 0),
    ],
)
def test_the_state_of_a_rollout_is_read_from_the_weights(shares, live, target, phase, weight):
    seen = llm_rollout.observe_all(Cluster(*shares).there)[MODEL]
    assert (seen.live_version, seen.target_version, seen.phase, seen.weight) == (live, target, phase, weight)
    assert list(seen.services) == ["assistant-v7", "assistant-v8"]


@pytest.fixture
def books(tmp_path):
    project = Project(tmp_path)
    project.releases([V7, V8])
    project.pins("staging", assistant=Pin(stable=V7.id, candidate=V8.id))
    spec = project.spec(MODEL, **llm().model_dump(exclude={"name"}, exclude_defaults=True))
    return Books(project.root, ENVIRONMENT, spec)


def test_a_rollout_goes_through_its_steps_and_is_settled_at_the_last(books, monkeypatch):
    monkeypatch.setattr(Books, "elsewhere", lambda _: {})
    kube, seen = Cluster(100, 0), []
    for _ in ENVIRONMENT.rollout.steps:
        step(kube, books)
        seen.append(kube.weights["assistant-v8"])
        assert sum(kube.weights.values()) == 100
    assert seen == [10, 25, 50, 100]
    assert kube.order[:2] == ["assistant-v8", "assistant-v7"], "the one that gains comes first"
    assert books.pin() == Pin(stable=V8.id)
    assert step(kube, books) == ["assistant: assistant-v8 has 100% already"]


def test_all_traffic_is_taken_back_and_the_release_rejected(books, monkeypatch):
    monkeypatch.setattr(Books, "elsewhere", lambda _: {})
    kube = Cluster(75, 25)
    step(kube, books, to=0, reason="it makes things up")
    assert kube.weights == {"assistant-v7": 100, "assistant-v8": 0}
    assert kube.order == ["assistant-v7", "assistant-v8"]
    assert books.pin().candidate is None
    assert books.pin().rejected[0].reason == "it makes things up"


@pytest.mark.parametrize(
    ("shares", "recorded", "expected"),
    [
        ((100, 0), Recorded(stable=7, wanted=8), ("running", 8, "step", "v8 has 0% of the traffic")),
        ((75, 25), Recorded(stable=7, wanted=8), ("running", 8, "step", "v8 has 25% of the traffic")),
        ((0, 100), Recorded(stable=8, wanted=8), ("settled", None, "up", "retires versions without traffic")),
        ((100, 0), Recorded(stable=7, wanted=7), ("settled", None, "up", "retires versions without traffic")),
        ((100, 0), Recorded(stable=7, wanted=9), ("settled", None, "up", "v9 does not run yet")),
        (
            (100, 0),
            Recorded(wanted=8, rejected={8: "bad"}),
            ("settled", None, "up", "retires versions without traffic"),
        ),
    ],
)
def test_a_status_says_what_comes_next(shares, recorded, expected):
    seen = llm_rollout.observe_all(Cluster(*shares).there)[MODEL]
    shown = row(MODEL, seen, recorded)
    assert (shown["situation"], shown["candidate"], shown["next"], shown["why"]) == expected
    assert row(MODEL, ObservedModel(), Recorded(wanted=7))["situation"] == "absent"


def test_a_candidate_that_is_not_ready_gets_nothing_but_may_lose_everything(books):
    kube = Cluster(75, 25, ready="False")
    with pytest.raises(SlipwayError, match="assistant-v8 is not ready, so it gets no traffic") as raised:
        step(kube, books)
    assert raised.value.exit_code is ExitCode.BUSY
    step(kube, books, to=0)
    assert kube.weights == {"assistant-v7": 100, "assistant-v8": 0}


def test_without_a_candidate_there_is_nothing_to_step(books):
    kube = Cluster(100, 0)
    kube.there.pop()
    with pytest.raises(SlipwayError, match="v8 does not run in staging; `slipway up` first"):
        step(kube, books)


def test_an_up_declares_it_beside_the_others_and_leaves_moving_to_the_step(books):
    seen: dict[str, ObservedModel] = llm_rollout.observe_all(Cluster(100, 0).there)
    plan = plan_environment(Checkout(books.project), ENVIRONMENT, seen)
    assert plan.problems == ()
    assert list(plan.llms) == [MODEL]
    assert plan.notices[-1] == (
        f"assistant: {V8.id} runs without traffic; `slipway rollout step assistant` gives it the first"
    )
    half = plan_environment(Checkout(books.project), ENVIRONMENT, llm_rollout.observe_all(Cluster(50, 50).there))
    assert half.plans[MODEL].target == V8
