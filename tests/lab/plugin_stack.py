"""A stack of the real engine whose Kubernetes resources go through the stand-in for the plugin."""

from __future__ import annotations

import gc
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from pulumi import automation
from pulumi.automation.events import EngineEvent
from pulumi_kubernetes.apiextensions import CustomResource

from slipway.clients.kube import Kube
from slipway.lab.plugin.choice import write_launcher
from slipway.tools import toolchain

#: Makes resource options that name the provider.
Options = Callable[..., pulumi.ResourceOptions]
#: Declares resources.
Program = Callable[[Options], Any]

GROUP = "test.slipway.dev/v1"
NAMESPACE = "plugin-tests"
WIDGET_CRD: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.test.slipway.dev"},
    "spec": {
        "group": "test.slipway.dev",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {"type": "object", "properties": {"size": {"type": "integer", "default": 1}}},
                            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                        },
                    }
                },
            }
        ],
    },
}


@dataclass
class Outcome:
    """What the engine did and said.

    Args:
        changes: Resources by operation.
        diffs: Detailed differences by resource name.
        warnings: Warnings.
        errors: Errors; what the operation failed with.
    """

    changes: Mapping[str, int] = field(default_factory=dict)
    diffs: dict[str, dict[str, str]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def changed(self) -> dict[str, int]:
        """Operations that change something."""
        return {op: count for op, count in self.changes.items() if op != "same"}

    def hear(self, event: EngineEvent) -> None:
        """Take in one event of the engine."""
        if event.diagnostic_event:
            message = re.sub(r"<\{%[^%]*%\}>", "", event.diagnostic_event.message).strip()
            heard = {"warning": self.warnings, "error": self.errors}.get(event.diagnostic_event.severity)
            if heard is not None and "from $PATH" not in message:
                heard.append(message)
        if event.summary_event:
            self.changes = {str(getattr(op, "value", op)): n for op, n in event.summary_event.resource_changes.items()}
        if event.resource_pre_event and event.resource_pre_event.metadata.detailed_diff:
            metadata = event.resource_pre_event.metadata
            self.diffs[metadata.urn.rpartition("::")[2]] = {
                path: str(getattr(diff.diff_kind, "value", diff.diff_kind))
                for path, diff in (metadata.detailed_diff or {}).items()
            }


class Stack:
    """One stack with a state of its own.

    Args:
        directory: Where its state goes.
        kubeconfig: The cluster.
        provider: Further settings of the provider.
    """

    def __init__(self, directory: Path, kubeconfig: Path, **provider: Any) -> None:
        self.directory, self.kubeconfig, self.provider = directory, kubeconfig, provider
        state = directory / "state"
        state.mkdir()
        launcher = write_launcher(directory / "bin")
        self.environ = {
            "PATH": os.pathsep.join([str(launcher.parent), os.environ["PATH"]]),
            "HOME": str(directory),
            "PULUMI_HOME": str(directory / "home"),
            "PULUMI_BACKEND_URL": f"file://{state}",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        }
        self._stack = automation.create_stack(
            "test",
            project_name="plugin",
            program=lambda: None,
            opts=automation.LocalWorkspaceOptions(
                env_vars=self.environ,
                pulumi_command=automation.PulumiCommand(str(toolchain.binary("pulumi").parents[1])),
            ),
        )

    def up(self, program: Program) -> Outcome:
        """Make the cluster what the program says."""
        return self._run("up", program)

    def preview(self, program: Program) -> Outcome:
        """Say what `up` would do."""
        return self._run("preview", program)

    def refresh(self) -> Outcome:
        """Take over what the cluster shows."""
        return self._run("refresh", None)

    def destroy(self) -> Outcome:
        """Delete everything."""
        return self._run("destroy", None)

    def resources(self) -> dict[str, dict[str, Any]]:
        """Return the stored resources by name."""
        deployment = self._stack.export_stack().deployment or {}
        return {resource["urn"].rpartition("::")[2]: resource for resource in deployment.get("resources", [])}

    def _run(self, operation: str, program: Program | None) -> Outcome:
        outcome = Outcome()

        def inline() -> None:
            provider = kubernetes.Provider(
                "lab", kubeconfig=str(self.kubeconfig), cluster_identifier="lab", **self.provider
            )
            assert program is not None
            program(lambda **more: pulumi.ResourceOptions(provider=provider, **more))

        arguments: dict[str, Any] = {"on_event": outcome.hear}
        if program is not None:
            self._stack.workspace.program = inline
        try:
            getattr(self._stack, operation)(**arguments)
        except automation.CommandError as error:
            outcome.errors = outcome.errors or [str(error)]
        finally:
            _collect()
        return outcome


#: What inline programs leave behind is not the tests' subject.
MARKS = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def kube(lab: Any) -> Any:
    """The lab's API server, with the kind Widget."""
    make_widgets(lab.kube)
    return lab.kube


@pytest.fixture
def stack(lab: Any, kube: Kube, tmp_path: Path) -> Iterator[Stack]:
    """A stack of one test."""
    yield Stack(tmp_path, Path(lab.kubeconfig), namespace=NAMESPACE)
    clear(kube)


def _collect() -> None:
    """Collect what an inline program leaves behind (event loops, sockets) here, where its warnings are expected."""
    usual, sys.unraisablehook = sys.unraisablehook, lambda _: None
    try:
        gc.collect()
    finally:
        sys.unraisablehook = usual


def make_widgets(kube: Kube) -> None:
    """Make a namespace, besides a kind that no controller looks after; they go with the lab."""
    kube.apply(WIDGET_CRD)
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    kube.wait_for(
        WIDGET_CRD["apiVersion"], WIDGET_CRD["kind"], WIDGET_CRD["metadata"]["name"], None, established, timeout=20
    )


def clear(kube: Kube) -> None:
    """Delete what a test left, without the engine since that takes a second less."""
    for api_version, kind in ((GROUP, "Widget"), ("v1", "Service"), ("v1", "ConfigMap"), ("v1", "Secret")):
        for obj in kube.list(api_version, kind, NAMESPACE):
            kube.delete(api_version, kind, obj["metadata"]["name"], NAMESPACE)


def config_map(options: Options, name: str = "settings", value: str = "1", **annotations: str) -> Any:
    return kubernetes.core.v1.ConfigMap(
        name, metadata={"name": name, "annotations": annotations}, data={"a": value}, opts=options()
    )


def service(options: Options, app: str = "v7", ports: int = 80, labels: Any = None, **more: Any) -> Any:
    return kubernetes.core.v1.Service(
        "churn",
        metadata={"name": "churn", "namespace": NAMESPACE, "labels": labels or {}},
        spec={"cluster_ip": "None", "selector": {"app": app}, "ports": [{"port": ports, "name": "http"}]},
        opts=options(**more),
    )


def widget(options: Options, spec: Any = None, annotations: Any = None, **more: Any) -> Any:
    return CustomResource(
        "widget",
        api_version=GROUP,
        kind="Widget",
        metadata={"name": "widget", "namespace": NAMESPACE, "annotations": annotations or {"slipway.dev/release": "1"}},
        spec=spec or {"size": 3},
        opts=options(**more),
    )


def established(crd: dict[str, Any]) -> bool:
    conditions = crd.get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)
