"""Pulumi's wire values in the stand-in for its Kubernetes plugin."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st

from slipway.lab.plugin import paths, state, values
from slipway.lab.plugin.values import SECRET_SIGNATURE, SIGNATURE_KEY, UNKNOWN, UNKNOWN_TEXT, Secret

KEYS = st.text(st.characters(codec="ascii", categories=("L", "N", "P")), min_size=1, max_size=8).filter(
    lambda key: not key.startswith(("x-kubernetes-", "x_kubernetes_"))
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e6, 1e6) | st.text(max_size=8)
TREES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3))
OBJECTS = st.dictionaries(KEYS, TREES, max_size=4)
MARKED_OBJECTS = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS | st.builds(Secret, SCALARS) | st.just(UNKNOWN),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3) | st.builds(Secret, inner),
    ),
    max_size=4,
)


@given(MARKED_OBJECTS)
def test_an_object_survives_the_wire_with_its_secrets_and_unknowns(obj: dict[str, Any]) -> None:
    assert values.to_python(values.to_struct(obj)) == obj


@given(OBJECTS)
def test_plain_objects_look_on_the_wire_as_json_does(obj: dict[str, Any]) -> None:
    assert MessageToDict(values.to_struct(obj)) == json.loads(json.dumps(obj))


@given(MARKED_OBJECTS)
def test_unknowns_are_found_in_the_bytes_exactly_if_a_walk_finds_one(obj: dict[str, Any]) -> None:
    def walk(value: Any) -> bool:
        if isinstance(value, dict | list):
            return any(map(walk, value.values() if isinstance(value, dict) else value))
        return value is UNKNOWN

    assert values.has_unknowns(values.to_struct(obj)) == walk(values.plain(obj))


@given(MARKED_OBJECTS, OBJECTS)
def test_what_is_secret_in_the_inputs_is_never_plain_in_the_outputs(given_: dict[str, Any], added: Any) -> None:
    outputs = {**added, **values.plain(given_)}

    marked = values.marked(outputs, given_)

    assert values.plain(marked) == outputs
    for key, value in given_.items():
        if values.contains_secret(value):
            assert values.contains_secret(marked[key])


def test_whole_numbers_stay_whole_since_the_api_server_refuses_a_port_of_80_0() -> None:
    numbers = values.to_python(values.to_struct({"port": 80.0, "weight": 0.5}))

    assert {key: repr(number) for key, number in numbers.items()} == {"port": "80", "weight": "0.5"}


def test_a_secret_and_an_unknown_look_on_the_wire_as_the_engine_wants_them() -> None:
    struct = values.to_struct({"a": Secret("s"), "b": UNKNOWN})

    assert MessageToDict(struct) == {"a": {SIGNATURE_KEY: SECRET_SIGNATURE, "value": "s"}, "b": UNKNOWN_TEXT}


def test_a_secret_in_a_list_makes_the_whole_list_secret() -> None:
    outputs = {"spec": {"env": [{"value": "a"}, {"value": "b"}], "x": 1}}
    inputs = {"spec": {"env": [{"value": "a"}, {"value": Secret("b")}], "x": 1}}

    assert values.marked(outputs, inputs) == {"spec": {"env": Secret(outputs["spec"]["env"]), "x": 1}}


def test_what_a_secret_object_holds_is_secret_though_nobody_marked_it() -> None:
    marked = values.marked({"kind": "Secret", "data": {"a": "YQ=="}, "metadata": {"name": "s"}}, {})

    assert marked == {"kind": "Secret", "data": Secret({"a": "YQ=="}), "metadata": {"name": "s"}}


def test_a_secret_does_not_show_itself_when_printed() -> None:
    assert "hunter2" not in repr({"a": Secret("hunter2")})


def test_keys_that_python_cannot_spell_have_dashes_for_the_cluster_and_underscores_for_pulumi() -> None:
    struct = values.to_struct({"x-kubernetes-preserve-unknown-fields": True})

    assert list(struct.fields) == ["x_kubernetes_preserve_unknown_fields"]
    assert values.to_python(struct) == {"x-kubernetes-preserve-unknown-fields": True}


STEPS = st.integers(0, 9) | st.text(st.characters(codec="ascii", exclude_characters="\\\n*", categories=("L", "P")))


@given(st.lists(STEPS, max_size=5).map(tuple))
def test_any_path_can_be_read_back_from_its_text(path: paths.Path) -> None:
    assert paths.parse(paths.render(path)) == path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("metadata.annotations", ("metadata", "annotations")),
        ('metadata.annotations["slipway.dev/release"]', ("metadata", "annotations", "slipway.dev/release")),
        ("spec.rules[0].host", ("spec", "rules", 0, "host")),
        ("spec.*.x", ("spec", "*", "x")),
        ("spec.rules[*]", ("spec", "rules", "*")),
    ],
)
def test_a_property_path_is_read_as_the_engine_writes_it(text: str, path: paths.Path) -> None:
    assert paths.parse(text) == path


def test_a_malformed_path_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"property path 'spec\.\[x': cannot be read from position 4"):
        paths.parse("spec.[x")


def test_a_state_is_the_live_object_beside_what_it_was_made_from() -> None:
    given_ = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": Secret("1")}}
    live = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"}, "metadata": {"uid": "u"}}

    struct = state.write(given_, live, "pulumi-kubernetes-1")

    assert values.to_python(struct) == {
        **live,
        "data": {"a": Secret("1")},
        "__inputs": given_,
        "__initialApiVersion": "v1",
        "__fieldManager": "pulumi-kubernetes-1",
    }
    inputs, last = state.read(struct)
    assert inputs == {**given_, "data": {"a": "1"}}
    assert last == {**live, "__initialApiVersion": "v1", "__fieldManager": "pulumi-kubernetes-1"}


def test_an_import_takes_everything_that_the_server_did_not_add() -> None:
    live = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "a",
            "namespace": "b",
            "uid": "u",
            "resourceVersion": "7",
            "managedFields": [{}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mine": "1"},
        },
        "data": {"k": "v"},
        "status": {},
    }

    assert state.inputs_of(live, {}) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "b", "annotations": {"mine": "1"}},
        "data": {"k": "v"},
    }
