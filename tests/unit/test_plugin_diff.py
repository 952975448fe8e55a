"""Differences as the stand-in for Pulumi's Kubernetes plugin sees them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.lab.plugin import diff, paths
from slipway.lab.plugin.diff import Change, Kind, Mutable
from slipway.lab.plugin.values import UNKNOWN

Object = dict[str, Any]

KEYS = st.sampled_from(["a", "b", "c", "a.b/c"])
TREES = st.recursive(
    st.booleans() | st.integers(0, 3) | st.sampled_from(["x", "y"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)
SPECS = st.dictionaries(KEYS, TREES, max_size=4)


def custom(spec: Any = None, **metadata: Any) -> Object:
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "churn-v7", "namespace": "models", **metadata},
        "spec": spec or {},
    }


def live_of(inputs: Object, **server: Any) -> Object:
    live = copy.deepcopy(inputs)
    live["metadata"].update(uid="u", resourceVersion="1", **server)
    return {**live, "status": {"observedGeneration": 1}}


def graft(tree: Any, number: int) -> Any:
    """Add fields of others to every object inside."""
    if isinstance(tree, dict):
        return {**{key: graft(value, number) for key, value in tree.items()}, f"other{number}": {"x": number}}
    return [graft(item, number) for item in tree] if isinstance(tree, list) else tree


@given(SPECS, st.integers(0, 3))
def test_what_others_added_to_the_object_is_no_difference(spec: Object, number: int) -> None:
    inputs = custom(spec)
    live = {**live_of(inputs), "spec": graft(spec, number)}

    assert diff.compare(live, inputs, inputs) == []


@given(SPECS, SPECS)
def test_a_difference_is_found_exactly_if_the_inputs_differ(old: Object, new: Object) -> None:
    changes = diff.compare(live_of(custom(old)), custom(old), custom(new))

    assert bool(changes) == (canonical(old) != canonical(new))


@given(SPECS, SPECS)
def test_taking_every_change_over_makes_the_old_object_the_new_one(old: Object, new: Object) -> None:
    result, wanted = {"spec": copy.deepcopy(old)}, custom(copy.deepcopy(new))
    changes = diff.compare(live_of(custom(old)), custom(old), custom(new))

    for change in reversed(changes):  # backwards, since deleting a list item moves those after it
        if change.kind is Kind.DELETE:
            paths.drop(result, change.path)
    for change in changes:
        if change.kind is not Kind.DELETE:
            holder, value = paths.get(result, change.path[:-1]), paths.get(wanted, change.path)
            if isinstance(holder, list) and change.path[-1] == len(holder):
                holder.append(value)
            else:
                holder[change.path[-1]] = value

    assert canonical(result["spec"]) == canonical(new)


@given(SPECS, SPECS)
def test_nothing_below_an_ignored_path_is_a_difference(old: Object, new: Object) -> None:
    changes = diff.compare(live_of(custom(old)), custom(old), custom(new))

    left = diff.without_ignored(changes, ['spec["a.b/c"]', "spec.b"])

    assert left == [change for change in changes if change.path[1] not in ("a.b/c", "b")]


def canonical(value: Any) -> str:
    """Return text that is the same for equal JSON; unlike Python it tells true from 1."""
    return json.dumps(value, sort_keys=True)


def test_each_changed_field_is_named_with_what_happens_to_it() -> None:
    old = custom({"same": 1, "gone": 1, "changed": [{"a": 1}, {"a": 2}]}, annotations={"slipway.dev/x": "1"})
    new = custom({"same": 1, "changed": [{"a": 1}, {"a": 3}], "added": {}}, annotations={"slipway.dev/x": "2"})

    assert set(diff.compare(live_of(old), old, new)) == {
        Change(("spec", "gone"), Kind.DELETE),
        Change(("spec", "changed", 1, "a"), Kind.UPDATE),
        Change(("spec", "added"), Kind.ADD),
        Change(("metadata", "annotations", "slipway.dev/x"), Kind.UPDATE),
    }


def test_drift_that_a_refresh_found_is_a_difference() -> None:
    inputs = custom({"replicas": 1})
    live = {**live_of(inputs), "spec": {"replicas": 5}}

    assert diff.compare(live, inputs, inputs) == [Change(("spec", "replicas"), Kind.UPDATE)]


def test_a_value_that_only_a_real_run_knows_is_a_change() -> None:
    inputs = custom({"a": "x"})

    assert diff.compare(live_of(inputs), inputs, custom({"a": UNKNOWN})) == [Change(("spec", "a"), Kind.UPDATE)]


def test_true_is_not_one() -> None:
    assert diff.compare(live_of(custom({"a": 1})), custom({"a": 1}), custom({"a": True}))


def test_another_name_or_namespace_replaces_any_object() -> None:
    inputs = custom()

    for moved in (custom(name="churn-v8"), custom(namespace="other")):
        (change,) = diff.compare(live_of(inputs), inputs, moved)
        assert change.replace


@pytest.mark.parametrize(
    ("api_version", "kind", "old", "new"),
    [
        ("v1", "ConfigMap", {"data": {"a": "1"}}, {"data": {"a": "2"}}),
        ("v1", "ConfigMap", {}, {"binaryData": {"a": "YQ=="}}),
        ("v1", "Secret", {"type": "Opaque"}, {"type": "other"}),
        ("v1", "Secret", {"stringData": {"a": "1"}}, {"stringData": {"a": "2"}}),
        ("v1", "Service", {"spec": {"clusterIP": "None"}}, {"spec": {"clusterIP": ""}}),
        ("v1", "Service", {}, {"spec": {"clusterIP": "None"}}),
        ("apps/v1", "Deployment", {"spec": {"selector": {"a": 1}}}, {"spec": {"selector": {"a": 2}}}),
        ("batch/v1", "Job", {"spec": {"template": {"a": 1}}}, {"spec": {"template": {"a": 2}}}),
        ("rbac.authorization.k8s.io/v1", "RoleBinding", {"roleRef": {"name": "a"}}, {"roleRef": {"name": "b"}}),
    ],
)
def test_a_field_that_cannot_be_changed_replaces_the_object(
    api_version: str, kind: str, old: Object, new: Object
) -> None:
    base = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "y"}}
    live = diff.fold_secret(live_of({**base, **old}))

    changes = diff.compare(live, {**base, **old}, {**base, **new})

    assert changes
    assert all(change.replace for change in changes)


@pytest.mark.parametrize(
    ("api_version", "kind", "old", "new"),
    [
        ("v1", "Service", {"spec": {"selector": {"a": "1"}}}, {"spec": {"selector": {"a": "2"}}}),
        ("apps/v1", "Deployment", {"spec": {"replicas": 1}}, {"spec": {"replicas": 2}}),
        ("serving.kserve.io/v1beta1", "InferenceService", {"spec": {"selector": 1}}, {"spec": {"selector": 2}}),
    ],
)
def test_other_fields_are_changed_in_place(api_version: str, kind: str, old: Object, new: Object) -> None:
    base = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "namespace": "y"}}

    (change,) = diff.compare(live_of({**base, **old}), {**base, **old}, {**base, **new})

    assert not change.replace


def test_a_config_map_may_be_changed_in_place_where_that_is_asked_for_unless_it_is_immutable() -> None:
    base = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "y"}}
    old, new = {**base, "data": {"a": "1"}}, {**base, "data": {"a": "2"}}
    mutable = Mutable(config_maps=True)

    (in_place,) = diff.compare(live_of(old), old, new, mutable)
    frozen, _ = diff.compare(live_of(old), old, {**new, "immutable": True}, mutable)

    assert not in_place.replace
    assert frozen.replace


def test_the_old_object_goes_first_only_if_it_is_in_the_way() -> None:
    base = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "namespace": "y"}}
    old, new = {**base, "data": {"a": "1"}}, {**base, "data": {"a": "2"}}
    renamed = {**new, "metadata": {"name": "z", "namespace": "y"}}
    automatic = {**new, "metadata": {**base["metadata"], "annotations": {"pulumi.com/autonamed": "true"}}}

    assert diff.delete_before_replace(diff.compare(live_of(old), old, new), live_of(old), new)
    assert not diff.delete_before_replace(diff.compare(live_of(old), old, renamed), live_of(old), renamed)
    assert not diff.delete_before_replace(diff.compare(live_of(old), old, automatic), live_of(old), automatic)
    assert not diff.delete_before_replace([], live_of(old), old)


def test_the_text_of_a_secret_is_compared_as_the_server_stores_it() -> None:
    inputs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x"}, "stringData": {"a": "1"}}
    live = {**inputs, "metadata": {"name": "x", "namespace": "default"}, "data": {"a": "MQ=="}}
    del live["stringData"]

    assert diff.compare(live, inputs, inputs) == []


def test_an_empty_map_that_the_server_dropped_is_no_difference_for_built_in_kinds_only() -> None:
    base = {"kind": "Role", "metadata": {"name": "x", "namespace": "y"}, "spec": {}}
    built_in, own = {**base, "apiVersion": "apps/v1"}, {**base, "apiVersion": "slipway.dev/v1"}

    for inputs, expected in ((built_in, []), (own, [Change(("spec",), Kind.ADD)])):
        live = {key: value for key, value in live_of(inputs).items() if key != "spec"}
        assert diff.compare(live, inputs, inputs) == expected


def test_a_namespace_on_a_cluster_wide_object_means_nothing() -> None:
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x", "namespace": "y"}}
    live = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}

    assert diff.compare(live, inputs, inputs) == []
