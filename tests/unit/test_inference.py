"""Requests and answers of the Open Inference Protocol."""

from __future__ import annotations

import pytest

from slipway.clients.inference import Table, infer_answer, infer_request, same_answers
from slipway.errors import SlipwayError


def test_each_column_is_an_input_of_its_own() -> None:
    table = Table(("age", "plan"), ("double", "string"), ((31.0, "basic"), (47.5, "gold")))
    assert infer_request(table) == {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": "age", "datatype": "FP64", "shape": [2, 1], "data": [31.0, 47.5]},
            {"name": "plan", "datatype": "BYTES", "shape": [2, 1], "data": ["basic", "gold"]},
        ],
    }


def test_a_column_type_without_a_datatype_is_refused_by_name() -> None:
    with pytest.raises(SlipwayError, match="input when: type datetime has no datatype"):
        infer_request(Table(("when",), ("datetime",), (("2026-11-21",),)))


def test_an_answer_is_read_flat() -> None:
    assert infer_answer({"outputs": [{"data": [[1], [2]]}]}) == [1, 2]


@pytest.mark.parametrize("body", [{"error": "no such model"}, {"outputs": []}, {"outputs": [{"data": []}] * 2}])
def test_a_response_without_one_output_is_no_answer(body: dict[str, object]) -> None:
    with pytest.raises(SlipwayError, match="expected one output"):
        infer_answer(body)


def test_answers_of_different_length_differ() -> None:
    assert not same_answers([1, 2], [1])


def test_classes_are_equal_only_exactly() -> None:
    assert same_answers([1, "a"], [1, "a"])
    assert not same_answers([1_000_000_001], [1_000_000_000])


def test_floats_are_equal_to_the_ninth_digit() -> None:
    assert same_answers([0.1 + 0.2], [0.3])
    assert not same_answers([1.00000001], [1.0])
