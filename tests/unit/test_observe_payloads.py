"""What KServe's agents send, joined to predictions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slipway import names
from slipway.errors import SlipwayError
from slipway.observe.payloads import MAX_WAITING, Half, Pairs, predictions, read
from slipway.rollout.observed import observed_service

REQUEST: dict[str, Any] = {
    "parameters": {"content_type": "pd"},
    "inputs": [
        {"name": "age", "datatype": "INT64", "shape": [2, 1], "data": [31, 48]},
        {"name": "plan", "datatype": "BYTES", "shape": [2, 1], "data": ["basic", "pro"]},
        # One image: no column.
        {"name": "face", "datatype": "FP32", "shape": [2, 3], "data": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]},
    ],
}
RESPONSE: dict[str, Any] = {
    "model_name": "churn",
    "model_version": "3",
    "id": "6f1c",
    "outputs": [{"name": "output-1", "datatype": "INT64", "shape": [2, 1], "data": [0, 1]}],
}
ONE = {**RESPONSE, "outputs": [{"name": "output-1", "datatype": "INT64", "shape": [1], "data": [1]}]}


def headers(kind: str, **changes: str) -> dict[str, str]:
    """As kserve pkg/logger/worker.go writes them, in CloudEvents' binary mode."""
    return {"ce-type": f"org.kubeflow.serving.inference.{kind}", "ce-id": "e1", "ce-namespace": "models", **changes}


def half(kind: str, body: Any, **changes: str) -> Half:
    return read(headers(kind, **changes), json.dumps(body).encode())


@pytest.mark.parametrize("first", ["request", "response"])
def test_both_halves_make_a_prediction_for_each_row_whichever_comes_first(first: str) -> None:
    pairs, second = Pairs(), {"request": "response", "response": "request"}[first]
    bodies = {"request": REQUEST, "response": RESPONSE}
    assert pairs.take(half(first, bodies[first])) == []
    found = pairs.take(half(second, bodies[second]))
    assert [(each.id, each.prediction, each.inputs) for each in found] == [
        ("6f1c/0", 0, {"age": 31, "plan": "basic"}),
        ("6f1c/1", 1, {"age": 48, "plan": "pro"}),
    ]
    assert {each.stream for each in found} == {("models", "churn", "3")}


def test_a_single_row_is_labelled_under_the_responses_own_id() -> None:
    (found,) = predictions("models", "e1", {"inputs": []}, ONE)
    assert (found.id, found.prediction) == ("6f1c", 1)


def test_without_an_id_in_the_response_the_events_stands_for_it() -> None:
    (found,) = predictions("models", "e1", {}, {**ONE, "id": None})
    assert found.id == "e1"


def test_halves_of_two_namespaces_are_no_pair() -> None:
    pairs = Pairs()
    pairs.take(half("request", REQUEST))
    assert pairs.take(half("response", RESPONSE, **{"ce-namespace": "other"})) == []


def test_requests_that_failed_do_not_pile_up() -> None:
    pairs = Pairs()
    for number in range(MAX_WAITING + 1):
        pairs.take(half("request", REQUEST, **{"ce-id": str(number)}))
    assert pairs.take(half("response", RESPONSE, **{"ce-id": "0"})) == []
    assert len(pairs.take(half("response", RESPONSE, **{"ce-id": str(MAX_WAITING)}))) == 2


def test_an_answer_that_is_more_than_one_value_a_row_is_refused() -> None:
    body = {**RESPONSE, "outputs": [{**RESPONSE["outputs"][0], "shape": [1, 2]}]}
    with pytest.raises(SlipwayError, match=r"outputs\[0\]\.data: expected one value for each of 1 rows, got 2"):
        predictions("models", "e1", REQUEST, body)


def test_a_version_that_is_no_registry_version_is_refused() -> None:
    with pytest.raises(SlipwayError, match=r"payload: .*version"):
        predictions("models", "e1", REQUEST, {**RESPONSE, "model_version": "latest"})


@pytest.mark.parametrize(
    ("changes", "body", "said"),
    [
        ({"ce-type": "something.else"}, b"{}", "expected an event of KServe's logger"),
        ({"ce-id": ""}, b"{}", "expected an event of KServe's logger"),
        ({}, b"\x00\x01", "expected JSON of the Open Inference Protocol"),
        ({}, b"[]", "expected JSON of the Open Inference Protocol"),
    ],
)
def test_what_is_no_event_of_kserves_is_refused_in_one_line(changes: Any, body: bytes, said: str) -> None:
    with pytest.raises(SlipwayError, match=said):
        read(headers("request", **changes), body)


def test_an_inference_service_says_whether_it_has_an_agent() -> None:
    metadata = {"name": "churn-v3", "annotations": {names.PAYLOADS: "http://slipway-observe.slipway:9092"}}
    assert observed_service({"metadata": metadata}).logged
    assert not observed_service({"metadata": {"name": "churn-v3"}}).logged
