"""What the platform's Prometheus measures is what the lab's own does, and its judge sees what the lab's own sees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from judge_stage import until
from local_stack import MODEL, Stack
from projects import Project
from running_lab import Lab, running_lab

from slipway.clients.kube import Kube
from slipway.lab import platform
from slipway.lab.seed.recipes import DEMO_MODELS
from slipway.lab.seed.users import user_requests

pytestmark = pytest.mark.platform

#: Seconds until all that is new has been asked, on two busy cores.
MEASURED = 60
SERVED = 'up{job="models"}'


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with one model that is served, measured by its own Prometheus as by that of the platform."""
    with running_lab(tmp_path_factory.mktemp("measured")) as lab:
        platform.ensure_tools(["monitoring", "services"])
        Project(lab.project)
        platform.deploy(lab.project, ["monitoring", "services"])
        stack = Stack(lab, tmp_path_factory.mktemp("stack"))
        stack.set(payloads_url="http://slipway-observe.slipway:9092")
        stack.start()
        until(lambda: len(cluster(lab.kube, SERVED)) == 2, MEASURED, "both sides of the pair are asked")
        yield lab


def ask(kube: Kube, where: str, app: str, port: int, path: str, **query: str) -> Any:
    """Ask a pod through the API server."""
    (pod,) = kube.list("v1", "Pod", where, f"app.kubernetes.io/name={app}")
    name = f"{pod['metadata']['name']}:{port}"
    return kube.request("GET", f"/api/v1/namespaces/{where}/pods/{name}/proxy{path}", params=query)


def cluster(kube: Kube, query: str) -> list[dict[str, str]]:
    answer = ask(kube, "monitoring", "prometheus", 9090, "/api/v1/query", query=query)
    return labels(answer)


def own(lab: Lab, query: str) -> list[dict[str, str]]:
    return labels(
        requests.get(f"{lab.facts.url('prometheus')}/api/v1/query", params={"query": query}, timeout=5).json()
    )


def labels(answer: Any) -> list[dict[str, str]]:
    return sorted((series["metric"] for series in answer["data"]["result"]), key=json.dumps)


def test_a_models_servers_give_the_same_series_with_the_same_labels(measured: Lab) -> None:
    found, expected = cluster(measured.kube, '{job="models"}'), own(measured, '{job="models"}')
    assert found == expected
    assert len(found) > 2


@pytest.mark.parametrize("job", ["judge", "observe"])
def test_the_judge_and_observe_are_asked_under_the_same_name(measured: Lab, job: str) -> None:
    query = f'sum without (instance) (up{{job="{job}"}})'
    assert cluster(measured.kube, query) == own(measured, query) == [{"job": job}]


def test_what_a_user_asks_reaches_observe_through_kserves_agent(measured: Lab) -> None:
    def predicted() -> float:
        exposed = ask(measured.kube, "slipway", "slipway-observe", 9092, "/metrics")["text"]
        counted = [line for line in exposed.splitlines() if line.startswith("slipway_predictions_total{")]
        assert all(f'model="{MODEL}"' in line for line in counted)
        return sum(float(line.split()[-1]) for line in counted)

    asked = user_requests(next(model for model in DEMO_MODELS if model.name == MODEL))[:3]
    for one in asked:
        host = {"Host": f"{MODEL}.models.localhost"}
        answer = requests.post(
            f"{measured.gateway_url}/v2/models/{MODEL}/infer", data=one.body, headers=host, timeout=10
        )
        assert answer.status_code == 200, answer.text
    until(lambda: predicted() == len(asked), 30, "every answer is counted")


def test_the_judge_may_read_all_that_it_needs(measured: Lab) -> None:
    seen = ask(measured.kube, "slipway", "slipway-judge", 9091, "/verdict", namespace="models", model=MODEL)
    url = f"{measured.facts.url('judge')}/verdict"
    expected = requests.get(url, params={"namespace": "models", "model": MODEL}, timeout=5).json()
    assert seen["run"] == expected["run"]


def test_observe_takes_what_the_model_specs_know(measured: Lab) -> None:
    facts = ask(measured.kube, "slipway", "slipway-observe", 9092, "/healthz")
    assert MODEL in facts["models"]
    assert facts["unreadable"] == {}


def test_prometheus_evaluates_every_rule_and_reaches_alertmanager(measured: Lab) -> None:
    def rules() -> list[dict[str, Any]]:
        answer = ask(measured.kube, "monitoring", "prometheus", 9090, "/api/v1/rules")
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    until(lambda: all(rule["health"] != "unknown" for rule in rules()), 90, "every rule has been evaluated")
    assert {rule["name"]: rule.get("lastError") for rule in rules() if rule["health"] != "ok"} == {}
    answer = ask(measured.kube, "monitoring", "prometheus", 9090, "/api/v1/alertmanagers")
    assert [each["url"] for each in answer["data"]["activeAlertmanagers"]] == ["http://alertmanager:9093/api/v2/alerts"]


def test_the_judge_reads_no_secret(measured: Lab) -> None:
    asked = {"user": "system:serviceaccount:slipway:slipway-judge"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {**asked, "resourceAttributes": {"verb": "list", "resource": "secrets"}},
    }
    answer = measured.kube.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body=review)
    assert answer["status"]["allowed"] is False
