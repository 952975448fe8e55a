"""LLMs before the real API server, with the definitions of KServe.

Their controller does not run in the lab: without GPUs it has nothing to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import a_plan, a_release, a_spec, an_environment
from llm_stage import define
from projects import Project

from slipway.clients.kube import Kube, KubeError
from slipway.compile import compile_llm
from slipway.delivery.books import Books
from slipway.delivery.llm import step
from slipway.models.pins import Pin, load_pins
from slipway.objects import Object
from slipway.rollout import cluster
from slipway.rollout.llm import LLM

NAMESPACE = "test-llm"
V7, V8 = a_release("assistant", 7), a_release("assistant", 8)
SERVING = {"cpu": "8", "memory": "64Gi", "gpus": 2, "replicas": {"min": 2, "max": 2}}
FULL = {
    "context_tokens": 8192,
    "quantization": "fp8",
    "kv_cache": "20Gi",
    "node_cache": {"node_groups": ["gpu"], "size": "40Gi"},
    "arguments": ["--dtype=bfloat16"],
}


@pytest.fixture(scope="module")
def kube(lab: Any) -> Kube:
    lab.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    define(lab)
    return Kube.from_kubeconfig(lab.kubeconfig)


def compiled(llm: dict[str, Any]) -> list[Object]:
    found = compile_llm(
        a_spec("assistant", serving=SERVING, llm=llm), a_plan(V7, V8), an_environment(namespace=NAMESPACE)
    )
    return [*found.caches, *found.inference_services]


@pytest.mark.parametrize("llm", [{}, FULL, {"scheduler": True}], ids=["defaults", "everything set", "scheduler"])
def test_every_object_of_an_llm_is_accepted_as_it_is(kube: Kube, llm: dict[str, Any]) -> None:
    for sent in compiled(llm):
        assert changed(sent["spec"], kube.create(sent, dry_run=True)["spec"], sent["kind"]) == []


def changed(sent: Any, got: Any, path: str) -> list[str]:
    """List what the server dropped or rewrote; what it added are its defaults."""
    if isinstance(sent, dict) and isinstance(got, dict):
        return [line for key in sent for line in changed(sent[key], got.get(key), f"{path}.{key}")]
    if isinstance(sent, list) and isinstance(got, list) and len(sent) == len(got):
        return [line for one, other in zip(sent, got, strict=True) for line in changed(one, other, f"{path}[]")]
    return [] if sent == got else [f"{path}: {sent!r} became {got!r}"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("router", "route", "wieght"), 1, "unknown field"),
        (("router", "route", "weight"), -1, "greater than or equal to 0"),
        (("router", "route", "group"), "Not A Name", "should match"),
        (("parallelism", "tensr"), 2, "unknown field"),
        (("template", "containers"), [{"name": "main", "enf": []}], "unknown field"),
    ],
)
def test_a_field_that_kserve_does_not_know_is_refused(kube: Kube, path: tuple[str, ...], value: Any, said: str) -> None:
    service = compiled({})[-1]
    place = service["spec"]
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(KubeError, match=said):
        kube.create(service, dry_run=True)


def test_the_traffic_of_a_group_is_moved_step_by_step(kube: Kube, tmp_path: Path) -> None:
    environment = an_environment(namespace=NAMESPACE)
    project = Project(tmp_path)
    project.releases([V7, V8])
    project.pins("staging", assistant=Pin(stable=V7.id, candidate=V8.id))
    spec = project.spec("assistant", serving=SERVING, llm={})
    for sent in compile_llm(spec, a_plan(V7, V8), environment).inference_services:
        kube.create(sent)
        # What its controller would say.
        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
        kube.patch(*LLM, sent["metadata"]["name"], NAMESPACE, ready, subresource="status")

    def weights() -> list[int]:
        return [each["spec"]["router"]["route"]["weight"] for each in kube.list(*LLM, NAMESPACE)]

    seen = [weights()]
    for _ in environment.rollout.steps:
        step(kube, Books(tmp_path, environment, spec))
        seen.append(weights())
    assert seen == [[100, 0], [90, 10], [75, 25], [50, 50], [0, 100]]
    assert cluster.observe(kube, NAMESPACE, ["assistant"])["assistant"].live_version == 8
    assert load_pins(tmp_path / "pins/staging.yaml").models["assistant"] == Pin(stable=V8.id)
