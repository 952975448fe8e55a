"""The policies in the lab, with the real admission controller: it refuses what a preview refuses, in the same words."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from policy_cases import CASES, CONTAINER, ENVIRONMENT, POD, SETTINGS, Case, changed
from projects import Project
from running_lab import Lab, running_lab

from slipway.clients.kube import KubeError
from slipway.lab import platform
from slipway.policy.check import violations
from slipway.policy.pods import images
from slipway.policy.rules import rules
from slipway.policy.stages import TRAINING, namespace
from slipway.settings.policies import AUDIT, ENFORCE
from slipway.tools import toolchain

pytestmark = pytest.mark.policies

Object = dict[str, Any]
RULES = rules(SETTINGS, ENVIRONMENT)
IMAGE = images(SETTINGS).checks[0]
LLM_DEFINITION = "github.com/kserve/kserve/config/crd/full/llmisvc/serving.kserve.io_llminferenceservices.yaml"
#: Who refuses instead, or changes what a policy would refuse before it looks.
OTHERS = {
    # KServe makes a `model` of it, so it is its address that is refused.
    "pinned-storage-sklearn": "slipway-pinned-storage-enforce failed: spec.predictor.model.storageUri",
    # KServe takes its own label away, and with it the detour.
    "pinned-storage-local": "",
    "gpus-milli": "must be an integer",
    "images-debugging": "cannot be set on create",
    "unprivileged-privileged": "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
    "unprivileged-initialising": "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
    "unprivileged-debugging": "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
}
#: Both are asked at once, and whoever refuses first is heard; some of these KServe refuses too.
KSERVE = "inferenceservice.kserve-webhook-server.validator"
#: Says nothing of policies, so everything is enforced.
STRICT = "strict"
SANDBOX = "sandbox"
DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": SANDBOX},
    "spec": {
        "replicas": 0,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{**CONTAINER, "image": "docker.io/seldonio/mlserver:latest"}]},
        },
    },
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    root = tmp_path_factory.mktemp("policies")
    with running_lab(root) as lab:
        Project(root)
        # The lab serves no LLM, but it knows what one looks like.
        lab.kube.apply(yaml.safe_load((toolchain.data("charts") / LLM_DEFINITION).read_text()))
        platform.deploy(root, ["kyverno", "policies"])
        for name in (STRICT, TRAINING):
            lab.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        lab.kube.apply(namespace(SANDBOX, AUDIT, {}))
        yield lab


def refusal(lab: Lab, made: Object) -> str:
    """Say what the cluster says to an object; it is not kept."""
    try:
        lab.kube.create(made, dry_run=True)
    except KubeError as error:
        return str(error)
    return ""


def in_namespace(case: Case) -> Object:
    """Put an object where nothing is said of policies; a rule of one namespace stays in it."""
    metadata = case.object["metadata"]
    here = metadata["namespace"] if case.rule.namespace else STRICT
    return changed(case.object, metadata["name"], {"metadata.namespace": here})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.object["metadata"]["name"])
def test_the_cluster_refuses_what_a_preview_refuses_in_the_same_words(lab: Lab, case: Case) -> None:
    made = in_namespace(case)
    said = refusal(lab, made)
    if (name := made["metadata"]["name"]) in OTHERS:
        assert OTHERS[name] in said
        return
    if KSERVE in said:
        assert case.broken is not None
        return
    # Kyverno says the first reason of each rule.
    expected = {each.rule: each.message for each in reversed(list(violations(RULES, [made])))}
    for rule, message in expected.items():
        assert f"Policy {rule}-enforce failed: {message}" in said
    assert said.count("failed: ") == len(expected), said


def test_containers_put_into_a_running_pod_are_refused_too(lab: Lab) -> None:
    # No scheduler of that name: it never runs.
    lab.kube.create(changed(POD, "debugged", {"metadata.namespace": STRICT, "spec.schedulerName": "none"}))
    path = lab.kube.url_of("v1", "Pod", STRICT) + "/debugged/ephemeralcontainers"

    def debug(**changes: Any) -> None:
        body = {"spec": {"ephemeralContainers": [{**CONTAINER, "name": "debugger", **changes}]}}
        merge = "application/strategic-merge-patch+json"
        lab.kube.request("PATCH", path, params={"dryRun": "All"}, body=body, content_type=merge)

    with pytest.raises(KubeError, match="slipway-images-debugging-enforce failed"):
        debug(image="docker.io/seldonio/mlserver:latest")
    with pytest.raises(KubeError, match="slipway-unprivileged-debugging-enforce failed"):
        debug(securityContext={})
    debug()


def test_where_policies_audit_nothing_is_refused_but_all_is_reported(lab: Lab) -> None:
    assert refusal(lab, DEPLOYMENT | {"metadata": {"name": "web", "namespace": STRICT}}).count("failed: ") == 1
    answer = lab.kube.session.post(
        lab.kube.server + lab.kube.url_of("apps/v1", "Deployment", SANDBOX), json=DEPLOYMENT, timeout=30
    )
    assert answer.status_code == 201
    assert "slipway-images-audit" in answer.headers["Warning"]
    name = answer.json()["metadata"]["uid"]
    report = lab.kube.wait_for(
        "wgpolicyk8s.io/v1alpha2", "PolicyReport", name, SANDBOX, lambda found: bool(found.get("results")), timeout=120
    )
    failed = {each["policy"]: each["message"] for each in report["results"] if each["result"] == "fail"}
    assert failed == {"slipway-images-audit": IMAGE.message}


def test_what_was_there_before_may_stay_and_go_but_not_become_something_else(lab: Lab) -> None:
    kube, name, where = lab.kube, "before", "promoted"
    kube.apply(namespace(where, AUDIT, {}))
    made = changed(DEPLOYMENT, name, {"metadata.namespace": where, "metadata.finalizers": ["slipway.dev/test"]})
    kube.create(made)
    kube.apply(namespace(where, ENFORCE, {}))
    # The API server hears of the label a moment later.
    deadline = time.monotonic() + 30
    while "slipway-images-enforce failed" not in refusal(lab, changed(made, "after", {})):
        assert time.monotonic() < deadline
    container = {**CONTAINER, "image": "docker.io/seldonio/mlserver:other"}
    other = {"template": {"spec": {"containers": [container]}}}
    with pytest.raises(KubeError, match="slipway-images-enforce failed"):
        kube.patch("apps/v1", "Deployment", name, where, {"spec": other})
    kube.delete("apps/v1", "Deployment", name, where)
    kube.patch("apps/v1", "Deployment", name, where, {"metadata": {"finalizers": None}})
    assert kube.find("apps/v1", "Deployment", name, where) is None
