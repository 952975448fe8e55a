"""How the stand-in for Pulumi's Kubernetes plugin waits, fails, gives up."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import plugin_stack
import pulumi
import pytest
from google.protobuf.empty_pb2 import Empty
from plugin_stack import GROUP, MARKS, NAMESPACE, Options, Stack, clear, config_map, widget
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from slipway.clients.kube import Kube
from slipway.lab.plugin import values
from slipway.lab.plugin.choice import sdk_version, write_launcher

pytestmark = MARKS

AWAITED = {"pulumi.com/waitFor": "condition=Ready"}
READY = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
UNREADY = {"status": {"conditions": [{"type": "Ready", "status": "False", "reason": "NoPod", "message": "none yet"}]}}
WHERE = (GROUP, "Widget", "widget", NAMESPACE)


kube, stack = plugin_stack.kube, plugin_stack.stack


def once(kube: Kube, holds: Callable[[dict[str, Any]], Any], act: Callable[[], Any]) -> threading.Thread:
    """Act as soon as something holds for the widget."""

    def run() -> None:
        kube.wait_for(*WHERE, lambda obj: bool(holds(obj)), timeout=60)
        act()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def set_status(kube: Kube, status: dict[str, Any]) -> None:
    kube.patch(*WHERE, status, subresource="status")


def test_up_goes_on_only_once_the_awaited_condition_holds(stack: Stack, kube: Kube) -> None:
    controller = once(kube, lambda obj: True, lambda: (set_status(kube, UNREADY), set_status(kube, READY)))

    def program(options: Options) -> None:
        made = widget(options, annotations=AWAITED)
        config_map(options, value=made.metadata["name"])

    outcome = stack.up(program)
    controller.join()

    assert outcome.errors == []
    assert stack.resources()["widget"]["outputs"]["status"] == READY["status"]


def test_what_is_not_ready_in_time_is_an_error_that_says_why_and_the_next_up_goes_on(stack: Stack, kube: Kube) -> None:
    def program(options: Options) -> None:
        widget(options, annotations={**AWAITED, "pulumi.com/timeoutSeconds": "2"})

    controller = once(kube, lambda obj: True, lambda: set_status(kube, UNREADY))
    late = stack.up(program)
    controller.join()
    kept = stack.resources()["widget"]
    set_status(kube, READY)
    again, settled = stack.up(program), stack.up(program)

    reason = "Widget plugin-tests/widget: not ready after 2 s: condition Ready is False, not True (NoPod: none yet)"
    assert any(reason in error for error in late.errors), late.errors
    assert (kept["id"], bool(kept["initErrors"])) == (f"{NAMESPACE}/widget", True)
    assert (again.errors, again.changed, settled.changed) == ([], {"update": 1}, {})


def test_a_delete_waits_for_finalizers(stack: Stack, kube: Kube) -> None:
    stack.up(widget)
    kube.patch(*WHERE, {"metadata": {"finalizers": ["test.slipway.dev/slow"]}})
    controller = once(
        kube,
        lambda obj: obj["metadata"].get("deletionTimestamp"),
        lambda: kube.patch(*WHERE, {"metadata": {"finalizers": None}}),
    )

    outcome = stack.destroy()
    controller.join()

    assert outcome.errors == []
    assert kube.find(*WHERE) is None


def test_a_delete_that_takes_too_long_names_the_finalizers(stack: Stack, kube: Kube) -> None:
    stack.up(lambda options: widget(options, custom_timeouts=pulumi.CustomTimeouts(delete="2s")))
    kube.patch(*WHERE, {"metadata": {"finalizers": ["test.slipway.dev/stuck"]}})

    outcome = stack.destroy()
    kube.patch(*WHERE, {"metadata": {"finalizers": None}})

    assert any("still there after 2 s; finalizers: test.slipway.dev/stuck" in error for error in outcome.errors)
    assert "widget" in stack.resources()


def test_what_is_gone_already_counts_as_deleted(stack: Stack, kube: Kube) -> None:
    stack.up(widget)
    kube.delete(*WHERE)

    assert stack.destroy().errors == []


def test_without_the_cluster_a_preview_warns_once_while_up_fails_in_one_line(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "{current-context: a, contexts: [{name: a, context: {cluster: a}}], "
        'clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]}'
    )
    stack = Stack(tmp_path, kubeconfig)

    def program(options: Options) -> None:
        widget(options)
        config_map(options)

    preview, up = stack.preview(program), stack.up(program)

    assert (preview.errors, preview.changed) == ([], {"create": 4})
    assert [w for w in preview.warnings if "127.0.0.1:1 cannot be reached" in w] == preview.warnings
    assert len(preview.warnings) == 1
    ours = [error for error in up.errors if "cannot be reached" in error]
    assert ours
    assert all(len(error.splitlines()) == 1 for error in ours)


@pytest.fixture
def plugin(lab: Any, kube: Kube, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """The plugin as the engine starts it; the engine's address leads nowhere."""
    process = subprocess.Popen([write_launcher(tmp_path), "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
    yield process
    process.kill()
    process.wait()
    clear(kube)


def connect(plugin: subprocess.Popen[str], kubeconfig: Path) -> provider_pb2_grpc.ResourceProviderStub:
    assert plugin.stdout is not None
    stub = provider_pb2_grpc.ResourceProviderStub(
        grpc.insecure_channel(f"127.0.0.1:{plugin.stdout.readline().strip()}")
    )
    variables = {"kubernetes:config:kubeconfig": str(kubeconfig), "kubernetes:config:namespace": NAMESPACE}
    answer = stub.Configure(provider_pb2.ConfigureRequest(variables=variables), timeout=30)
    assert answer.acceptSecrets
    assert answer.supportsPreview
    return stub


CREATE = provider_pb2.CreateRequest(
    urn="urn:pulumi:test::plugin::kubernetes:test.slipway.dev/v1:Widget::widget",
    properties=values.to_struct(
        {
            "apiVersion": GROUP,
            "kind": "Widget",
            "metadata": {"name": "widget", "namespace": NAMESPACE, "annotations": AWAITED},
        }
    ),
)


def test_the_plugin_says_which_sdk_it_answers_for(plugin: subprocess.Popen[str], lab: Any) -> None:
    info = connect(plugin, lab.kubeconfig).GetPluginInfo(Empty(), timeout=30)

    assert info.version == f"{sdk_version()}+slipway"


def test_a_cancelled_wait_ends_within_seconds_with_the_state_kept(
    plugin: subprocess.Popen[str], lab: Any, kube: Kube
) -> None:
    stub = connect(plugin, lab.kubeconfig)
    creating = stub.Create.future(CREATE)
    kube.wait_for(*WHERE, lambda obj: True, timeout=30)

    stub.Cancel(Empty(), timeout=30)
    error = creating.exception(timeout=30)

    assert "not ready when cancelled: condition Ready is not there yet" in error.details()
    detail = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert b"ErrorResourceInitFailed" in detail
    assert f"{NAMESPACE}/widget".encode() in detail


def test_the_plugin_goes_with_an_engine_that_was_killed(plugin: subprocess.Popen[str], lab: Any, kube: Kube) -> None:
    creating = connect(plugin, lab.kubeconfig).Create.future(CREATE)
    kube.wait_for(*WHERE, lambda obj: True, timeout=30)

    assert plugin.stdout is not None
    plugin.stdout.close()

    assert plugin.wait(timeout=15) == 0
    assert creating.exception(timeout=30) is not None
