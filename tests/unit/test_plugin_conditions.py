"""What the stand-in for Pulumi's Kubernetes plugin waits for, and whose fields it touches."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.lab.plugin import conditions, ownership
from slipway.lab.plugin.ownership import adopted, keep_ignored

Object = dict[str, Any]


def isvc(ready: str = "True", generation: int = 1, observed: int | None = 1, **status: Any) -> Object:
    known = {} if observed is None else {"observedGeneration": observed}
    return {
        "metadata": {"generation": generation},
        "status": {
            **known,
            "conditions": [
                {"type": "PredictorReady", "status": "True"},
                {"type": "Ready", "status": ready, "reason": "Waiting", "message": "no pod"},
            ],
            **status,
        },
    }


@pytest.mark.parametrize("text", ["condition=Ready", "condition=Ready=True", "condition=ready=true"])
def test_a_condition_holds_once_its_status_is_the_wanted_one(text: str) -> None:
    test = conditions.parse(text)

    assert test(isvc()) == ""
    assert test(isvc("False")).lower() == "condition ready is false, not true (waiting: no pod)"
    assert "is not there yet" in test({"metadata": {}})


def test_a_status_of_an_older_spec_says_nothing() -> None:
    test = conditions.parse("condition=Ready")

    assert test(isvc(generation=2)) == "status is of generation 1, not 2"
    assert test(isvc(generation=2, observed=None)) == ""
    old = isvc(generation=2, observed=2)
    old["status"]["conditions"][1]["observedGeneration"] = 1
    assert test(old) == "condition Ready is of generation 1, not 2"


@pytest.mark.parametrize(
    "text",
    [
        "jsonpath={.status.phase}=Succeeded",
        "jsonpath={$.status.phase}=Succeeded",
        "jsonpath='{.status.phase}'=Succeeded",
        "jsonpath=.status.phase=Succeeded",
        "jsonpath={.status['phase']}=Succeeded",
        "jsonpath={.status.weights[1]}=50",
        "jsonpath={.status.weights[-1]}=50",
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True',
        "jsonpath={$.status.conditions[?@.type == 'Ready'].status}=True",
        "jsonpath={.status.conditions[*].type}",
        "jsonpath={.status.phase}",
    ],
)
def test_a_json_path_holds_once_it_leads_to_the_value(text: str) -> None:
    test = conditions.parse(text)

    assert test(isvc(phase="Succeeded", weights=[5, 50])) == ""
    assert test({"metadata": {}, "status": {"phase": "x", "weights": [], "conditions": []}}) or text.endswith("phase}")
    assert test({"metadata": {}}).endswith(("yet", "not Succeeded", "not 50", "not True"))


def test_all_of_several_conditions_must_hold() -> None:
    test = conditions.parse('["condition=Ready", "jsonpath={.status.phase}=Succeeded"]')

    assert test(isvc(phase="Succeeded")) == ""
    assert test(isvc(phase="Failed")) == ".status.phase is Failed, not Succeeded"
    assert "Ready is False" in test(isvc("False", phase="Succeeded"))


@pytest.mark.parametrize("text", ["Ready", "condition=", "jsonpath=", "[]", "[1]", "[", "jsonpath={.a[?x]}=1"])
def test_a_malformed_wait_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"pulumi\.com/waitFor: "):
        conditions.parse(text)


def test_only_what_asks_for_it_is_awaited_and_deployments() -> None:
    def inputs(kind: str, api_version: str, **annotations: str) -> Object:
        return {"kind": kind, "apiVersion": api_version, "metadata": {"annotations": annotations}}

    assert conditions.ready_test(inputs("Service", "v1")) is None
    assert conditions.ready_test(inputs("Canary", "flagger.app/v1beta1")) is None
    assert conditions.ready_test(inputs("Deployment", "apps/v1", **{conditions.SKIP_AWAIT: "true"})) is None
    assert conditions.ready_test(inputs("Canary", "x/v1", **{conditions.WAIT_FOR: "condition=A"})) is not None
    assert conditions.ready_test({"kind": "ConfigMap", "apiVersion": "v1"}) is None


@pytest.mark.parametrize(
    ("status", "missing"),
    [
        ({}, "status is not there yet"),
        ({"observedGeneration": 1}, "status is of generation 1, not 2"),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 3}, "3 of 2 replicas"),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 1}, "1 of 2 replicas"),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}, "2 of 2 replicas"),
        ({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}, ""),
    ],
)
def test_a_deployment_is_ready_once_all_its_replicas_are_new_and_available(status: Object, missing: str) -> None:
    test = conditions.ready_test({"kind": "Deployment", "apiVersion": "apps/v1"})
    assert test is not None

    assert test({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}).startswith(missing)
    assert bool(test({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status})) == bool(missing)


MINE = "pulumi-kubernetes-0a1b2c3d"


def entry(manager: str, operation: str, fields: Object, **more: str) -> Object:
    return {"manager": manager, "operation": operation, "fieldsV1": fields, "time": "t", **more}


def test_what_our_own_post_owns_moves_to_the_manager_of_the_applies() -> None:
    theirs = entry("flagger", "Update", {"f:spec": {"f:selector": {}}})
    status = entry(ownership.POST_MANAGER, "Update", {"f:status": {}}, subresource="status")
    applied = entry(MINE, "Apply", {"f:data": {"f:a": {}}})
    posted = entry(ownership.POST_MANAGER, "Update", {"f:data": {"f:b": {}}})

    assert adopted([theirs, posted, status, applied], MINE) == [
        theirs,
        status,
        entry(MINE, "Apply", {"f:data": {"f:a": {}, "f:b": {}}}),
    ]


def test_nothing_moves_where_we_never_posted() -> None:
    assert adopted([entry(MINE, "Apply", {}), entry("flagger", "Update", {})], MINE) is None


def live(*managed: Object) -> Object:
    return {"metadata": {"managedFields": list(managed)}, "spec": {"selector": {"app": "live"}, "x": 1}}


INPUTS: Object = {"spec": {"selector": {"app": "mine"}, "x": 2}}


def test_an_ignored_field_that_only_others_own_is_left_to_them() -> None:
    theirs = entry("flagger", "Update", {"f:spec": {"f:selector": {}}})

    wanted = keep_ignored(INPUTS, live(theirs), ["spec.selector"], MINE)

    assert wanted == {"spec": {"x": 2}}
    assert INPUTS["spec"]["selector"] == {"app": "mine"}, "the inputs themselves stay, for the state"


def test_an_ignored_field_that_we_own_is_sent_as_it_is_live_since_leaving_it_out_would_remove_it() -> None:
    owners = [entry(name, "Apply", {"f:spec": {"f:selector": {"f:app": {}}}}) for name in ("flagger", MINE)]

    wanted = keep_ignored(INPUTS, live(*owners), ["spec.selector.app"], MINE)

    assert wanted == {"spec": {"selector": {"app": "live"}, "x": 2}}


def test_an_ignored_field_inside_a_map_that_others_own_as_a_whole_is_left_to_them() -> None:
    theirs = entry("flagger", "Update", {"f:spec": {"f:selector": {}}})

    assert keep_ignored(INPUTS, live(theirs), ["spec.selector.app"], MINE) == {"spec": {"selector": {}, "x": 2}}


def test_an_ignored_field_that_is_nowhere_changes_nothing() -> None:
    assert keep_ignored(INPUTS, live(), ["spec.nothing.here", "spec.*.x", "status"], MINE) == INPUTS
