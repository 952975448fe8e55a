"""What both versions are asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slipway.errors import SlipwayError
from slipway.models.release import Column
from slipway.rehearse.requests import generate_requests, read_requests

AGE, PLAN = Column(name="age", type="double"), Column(name="plan", type="string")


def body(age: float) -> dict[str, object]:
    return {"inputs": [{"name": "age", "datatype": "FP64", "shape": [1, 1], "data": [age]}]}


def test_recorded_requests_are_sent_as_they_were_recorded(tmp_path: Path) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(json.dumps(body(1.0)) + "\n\n" + json.dumps({**body(2.0), "label": 1}) + "\n")
    plain, labelled = read_requests(file)
    assert (json.loads(plain.body), plain.inputs, plain.label) == (body(1.0), {"age": 1.0}, None)
    assert (json.loads(labelled.body), labelled.inputs, labelled.label) == (body(2.0), {"age": 2.0}, 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "requests.jsonl:2: malformed JSON; expected one request"),
        ("[]", "requests.jsonl:2: inputs: missing or empty; expected a body of the V2 protocol"),
        ('{"inputs": []}', "requests.jsonl:2: inputs: missing or empty"),
        (
            '{"inputs": [{"name": "age", "shape": [2, 1], "data": [1, 2]}], "label": 1}',
            "requests.jsonl:2: label: expected a request of one row, got 2",
        ),
        (
            '{"inputs": [{"name": "age", "shape": [1, 1], "data": [1]}], "label": "yes"}',
            "requests.jsonl:2: label: expected a number",
        ),
    ],
)
def test_a_line_that_is_no_request_is_named(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "requests.jsonl"
    file.write_text(f"{json.dumps(body(1.0))}\n{line}\n")
    with pytest.raises(SlipwayError, match=said.replace("[", r"\[")):
        read_requests(file)


def test_a_file_without_requests_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match=r"none\.jsonl: cannot be read \(No such file"):
        read_requests(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(SlipwayError, match=r"empty\.jsonl: empty; expected one request a line"):
        read_requests(tmp_path / "empty.jsonl")


def test_generated_requests_stay_within_the_example() -> None:
    made = generate_requests((AGE, PLAN), [{"age": 20.0, "plan": "a"}, {"age": 40.0, "plan": "b"}])
    ages, plans = {each.inputs["age"] for each in made}, {each.inputs["plan"] for each in made}
    assert len(ages) > 50
    assert 20 <= min(ages) < max(ages) <= 40
    assert plans == {"a", "b"}
    assert made == generate_requests((AGE, PLAN), [{"age": 20.0, "plan": "a"}, {"age": 40.0, "plan": "b"}])
    assert json.loads(made[0].body)["inputs"][0] == {
        "name": "age",
        "datatype": "FP64",
        "shape": [1, 1],
        "data": [made[0].inputs["age"]],
    }


def test_a_model_without_an_example_is_asked_anything_of_the_right_types() -> None:
    assert {(each.inputs["age"], each.inputs["plan"]) for each in generate_requests((AGE, PLAN), [])} == {(0.5, "a")}


def test_a_model_that_cannot_be_asked_by_columns_needs_recorded_requests() -> None:
    with pytest.raises(SlipwayError, match="names no input columns; record requests"):
        generate_requests((), [])
    with pytest.raises(SlipwayError, match="input image: no request can be made of type binary"):
        generate_requests((Column(name="image", type="binary"),), [])
