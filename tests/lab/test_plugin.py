"""The stand-in for Pulumi's Kubernetes plugin, under the real engine, against a real API server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plugin_stack
import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from plugin_stack import (
    GROUP,
    MARKS,
    NAMESPACE,
    WIDGET_CRD,
    Options,
    Stack,
    config_map,
    service,
    widget,
)
from pulumi_kubernetes.apiextensions import CustomResource

from slipway.clients.kube import Kube

pytestmark = [
    *MARKS,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


kube, stack = plugin_stack.kube, plugin_stack.stack


def test_a_second_up_changes_nothing_and_destroy_leaves_nothing(stack: Stack, kube: Kube) -> None:
    def program(options: Options) -> None:
        config_map(options)
        service(options)
        widget(options)
        kubernetes.core.v1.Secret("token", string_data={"token": "hunter2"}, opts=options())

    first, second = stack.up(program), stack.up(program)
    names = {obj["metadata"]["name"] for obj in kube.list("v1", "ConfigMap", NAMESPACE)}
    gone = stack.destroy()

    assert (first.errors, first.changed) == ([], {"create": 6})
    assert (second.errors, second.changed) == ([], {})
    assert "settings" in names, "the provider's namespace is the default"
    assert gone.errors == []
    assert kube.find("v1", "Service", "churn", NAMESPACE) is None


def test_a_secret_is_nowhere_in_plain_text(stack: Stack, kube: Kube) -> None:
    def program(options: Options) -> None:
        secret = kubernetes.core.v1.Secret("token", string_data={"token": "hunter2"}, opts=options())
        kubernetes.core.v1.ConfigMap("copy", data={"a": pulumi.Output.secret("hunter2")}, opts=options())
        pulumi.export("data", secret.data)

    assert stack.up(program).errors == []

    (held,) = [s for s in kube.list("v1", "Secret", NAMESPACE) if s["metadata"]["name"].startswith("token-")]
    assert held["data"] == {"token": "aHVudGVyMg=="}
    for file in stack.directory.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert b"hunter2" not in content, file
            assert b"aHVudGVyMg==" not in content, file


def test_a_preview_asks_the_server_which_refuses_an_unknown_field_by_name(stack: Stack, kube: Kube) -> None:
    outcome = stack.preview(lambda options: widget(options, {"size": 1, "colour": "red"}))
    too_big = stack.preview(lambda options: widget(options, {"size": "big"}))

    assert any('unknown field "spec.colour"' in error for error in outcome.errors), outcome.errors
    assert any("spec.size" in error and "integer" in error for error in too_big.errors), too_big.errors
    assert kube.find(GROUP, "Widget", "widget", NAMESPACE) is None


def test_a_preview_copes_with_a_namespace_or_a_kind_that_is_still_to_come(stack: Stack) -> None:
    def program(options: Options) -> None:
        metadata = {"name": "x", "namespace": "plugin-tests-later"}
        kubernetes.core.v1.ConfigMap("cm", metadata=metadata, opts=options())
        CustomResource("cr", api_version="later.slipway.dev/v1", kind="Later", metadata=metadata, opts=options())

    outcome = stack.preview(program)

    assert (outcome.errors, outcome.changed) == ([], {"create": 4})


def test_an_update_keeps_the_object_and_removes_what_the_program_no_longer_says(stack: Stack, kube: Kube) -> None:
    stack.up(lambda options: widget(options, {"size": 3}, {"slipway.dev/release": "1", "slipway.dev/note": "x"}))
    before = kube.get(GROUP, "Widget", "widget", NAMESPACE)

    def changed(options: Options) -> None:
        widget(options, {"size": 4}, {"slipway.dev/release": "2"})

    preview, up, again = stack.preview(changed), stack.up(changed), stack.up(changed)
    after = kube.get(GROUP, "Widget", "widget", NAMESPACE)

    assert (
        preview.diffs["widget"]
        == up.diffs["widget"]
        == {
            "spec.size": "update",
            'metadata.annotations["slipway.dev/release"]': "update",
            'metadata.annotations["slipway.dev/note"]': "delete",
        }
    )
    assert (up.errors, up.changed, again.changed) == ([], {"update": 1}, {})
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["annotations"] == {"slipway.dev/release": "2"}
    assert after["spec"] == {"size": 4}
    managers = {(entry["manager"], entry["operation"]) for entry in after["metadata"]["managedFields"]}
    assert managers == {(stack.resources()["widget"]["outputs"]["__fieldManager"], "Apply")}


def test_a_field_that_another_manager_took_is_a_conflict_that_names_it(stack: Stack, kube: Kube) -> None:
    stack.up(lambda options: service(options, "v7"))
    theirs = {**kube.get("v1", "Service", "churn", NAMESPACE), "spec": None}
    theirs["spec"] = {"selector": {"app": "v9"}}
    theirs["metadata"] = {"name": "churn", "namespace": NAMESPACE}
    kube.apply(theirs, field_manager="flagger", force=True)

    preview, up = stack.preview(lambda options: service(options, "v8")), stack.up(lambda o: service(o, "v8"))

    for outcome in (preview, up):
        assert any('field conflict with "flagger"' in e and ".spec.selector" in e for e in outcome.errors), outcome
        assert any("ignore_changes" in error for error in outcome.errors)
    assert kube.get("v1", "Service", "churn", NAMESPACE)["spec"]["selector"] == {"app": "v9"}
    assert stack.resources()["churn"]["inputs"]["spec"]["selector"] == {"app": "v7"}


def test_an_ignored_field_stays_with_its_other_owner_while_the_rest_is_updated(stack: Stack, kube: Kube) -> None:
    ignore = {"ignore_changes": ["spec.selector"]}
    stack.up(lambda options: service(options, "v7", **ignore))
    live = kube.get("v1", "Service", "churn", NAMESPACE)
    live["spec"]["selector"] = {"app": "v9"}
    path = kube.url_of("v1", "Service", NAMESPACE, "churn")
    kube.request("PUT", path, params={"fieldManager": "flagger"}, body=live)

    updated = stack.up(lambda options: service(options, "v8", labels={"a": "b"}, **ignore))
    refreshed = stack.refresh()
    second = stack.up(lambda options: service(options, "v10", labels={"a": "b"}, **ignore))

    after = kube.get("v1", "Service", "churn", NAMESPACE)
    assert (updated.errors, updated.changed) == ([], {"update": 1})
    assert (refreshed.errors, second.errors, second.changed) == ([], [], {})
    assert after["spec"]["selector"] == {"app": "v9"}
    assert after["metadata"]["labels"] == {"a": "b"}


def test_what_cannot_be_changed_is_replaced_after_the_old_one_is_gone(stack: Stack, kube: Kube) -> None:
    stack.up(lambda options: config_map(options, value="1"))
    before = kube.get("v1", "ConfigMap", "settings", NAMESPACE)

    preview, up = (step(lambda options: config_map(options, value="2")) for step in (stack.preview, stack.up))

    after = kube.get("v1", "ConfigMap", "settings", NAMESPACE)
    assert (preview.errors, preview.changed) == ([], {"replace": 1})
    assert (up.errors, up.changed) == ([], {"replace": 1})
    assert up.diffs["settings"] == {"data.a": "update-replace"}
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["data"] == {"a": "2"}


def test_drift_is_seen_after_a_refresh_then_corrected_by_force(stack: Stack, kube: Kube) -> None:
    def program(options: Options) -> None:
        widget(options, annotations={"pulumi.com/patchForce": "true"})
        config_map(options)

    stack.up(program)
    kube.patch(GROUP, "Widget", "widget", NAMESPACE, {"spec": {"size": 9}})
    kube.delete("v1", "ConfigMap", "settings", NAMESPACE)

    blind, refreshed = stack.preview(program), stack.refresh()
    drifted = stack.resources()["widget"]["inputs"]["spec"]
    seen = stack.up(program)

    assert (blind.changed, blind.errors, refreshed.errors) == ({}, [], [])
    assert drifted == {"size": 9}
    assert (seen.errors, seen.changed) == ([], {"create": 1, "update": 1})
    assert seen.diffs["widget"] == {"spec.size": "update"}
    assert kube.get(GROUP, "Widget", "widget", NAMESPACE)["spec"] == {"size": 3}


def test_an_existing_object_is_an_error_unless_it_is_imported(stack: Stack, kube: Kube) -> None:
    obj = {"apiVersion": GROUP, "kind": "Widget", "metadata": {"name": "widget", "namespace": NAMESPACE}}
    annotated = {**obj["metadata"], "annotations": {"slipway.dev/release": "1"}}
    kube.create({**obj, "metadata": annotated, "spec": {"size": 3}})

    refused = stack.up(widget)
    imported = stack.up(lambda options: widget(options, import_=f"{NAMESPACE}/widget"))
    second = stack.up(widget)

    assert any("already exists; import it, or set upsertExistingObjects" in error for error in refused.errors)
    assert (imported.errors, second.errors, second.changed) == ([], [], {})
    assert imported.changed.get("import") == 1


def test_an_up_whose_state_was_lost_goes_on_as_the_same_owner(lab: Any, kube: Kube, tmp_path: Path) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    first.mkdir()
    second.mkdir()
    Stack(first, Path(lab.kubeconfig), upsert_existing_objects=True).up(
        lambda options: widget(options, {"size": 3}, {"slipway.dev/release": "1", "slipway.dev/note": "x"})
    )
    again = Stack(second, Path(lab.kubeconfig), upsert_existing_objects=True)

    outcome = again.up(lambda options: widget(options, {"size": 4}))

    after = kube.get(GROUP, "Widget", "widget", NAMESPACE)
    assert outcome.errors == []
    assert (after["spec"], after["metadata"]["annotations"]) == ({"size": 4}, {"slipway.dev/release": "1"})
    assert again.destroy().errors == []


def test_an_object_whose_kind_comes_during_the_up_is_made_then(stack: Stack, kube: Kube) -> None:
    crd = json.loads(json.dumps(WIDGET_CRD).replace("idget", "adget"))

    def program(options: Options) -> None:
        kubernetes.apiextensions.v1.CustomResourceDefinition(
            "crd", metadata=crd["metadata"], spec=crd["spec"], opts=options()
        )
        CustomResource("gadget", api_version=GROUP, kind="Wadget", metadata={"name": "w"}, opts=options())

    first, second = stack.up(program), stack.up(program)

    assert (first.errors, second.errors, second.changed) == ([], [], {})
