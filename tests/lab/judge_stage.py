"""Flagger with a judge, and nothing else: control plane, counters as the test says, no pods.

Run as a script, it is the control plane; see kubelet_stage.
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kubelet_stage
import yaml
from builders import a_plan, a_release, a_spec, an_environment

import slipway
from slipway import names
from slipway.clients.kube import APPLY, Kube, KubeError
from slipway.compile import compile_model, compile_shared
from slipway.lab import control_plane, network
from slipway.lab.control_plane import Layout
from slipway.rollout.canary import weights
from slipway.rollout.cluster import CANARY, INFERENCE_SERVICE, ROUTE
from slipway.tools import toolchain

NAMESPACE = "models"
PROMETHEUS, JUDGE = f"{network.ADDRESS}:9090", f"{network.ADDRESS}:9091"
#: Flagger's shortest tick.
TICK = 10
_FAKE = Path(__file__).with_name("fake_prometheus.py")
_CRD = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}


@dataclass
class Traffic:
    """What one side of a model is asked, per second, from `since` on."""

    since: float
    rate: float = 20.0
    failed: float = 0.0
    slow: float = 0.0
    labelled: float = 0.0
    right: float = 0.0


@dataclass
class Stage:
    """A running stage.

    Args:
        control: etcd with the API server.
        directory: For files.
    """

    control: kubelet_stage.Stage
    directory: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    #: Model to version to what it is asked; absent where Prometheus knows nothing of its servers.
    traffic: dict[str, dict[int, list[Traffic]]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def kube(self) -> Kube:
        return self.control.kube

    @property
    def ledger(self) -> Path:
        return self.directory / "ledger.jsonl"

    def run(self, name: str, *command: str) -> None:
        """Start a process in the stage's network."""
        enter = ["nsenter", "--user", "--net", "--preserve-credentials", f"--target={self.control.pid}"]
        layout = self.layout()
        package = str(Path(slipway.__file__).parents[1])
        with (self.directory / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [*enter, *command], stdout=log, stderr=log, env=layout.environment(PYTHONPATH=package)
            )

    def layout(self) -> Layout:
        return Layout(self.control.paths, {"flagger": str(toolchain.binary("flagger"))}, "", "")

    def kill(self, name: str) -> None:
        """Kill a process at once, as a crash would."""
        process = self.processes.pop(name)
        process.kill()
        process.wait()

    def flagger(self) -> None:
        self.run("flagger", *control_plane.flagger(self.layout()).command)

    def judge(self) -> None:
        config = self.control.paths.inside_kubeconfig("controllers")
        options = {"kubeconfig": config, "prometheus": f"http://{PROMETHEUS}", "listen": JUDGE, "ledger": self.ledger}
        self.run(
            "judge", sys.executable, "-m", "slipway.judge", *(f"--{key}={value}" for key, value in options.items())
        )
        until(lambda: self.ask("/healthz") == "ok\n", 30, "the judge answers")

    def prometheus(self) -> None:
        self.run("prometheus", sys.executable, str(_FAKE), PROMETHEUS, str(self.directory / "counters.json"))

    def ask(self, path: str) -> str:
        """Ask the judge something, from within."""
        return self.control.inside("curl", "-sS", "--max-time", "6", f"http://{JUDGE}{path}").stdout

    def told(self, model: str) -> list[dict[str, Any]]:
        """Return the ledger of a model."""
        found: list[dict[str, Any]] = json.loads(self.ask(f"/ledger?namespace={NAMESPACE}&model={model}") or "[]")
        return found

    def verdict(self, model: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.ask(f"/verdict?namespace={NAMESPACE}&model={model}"))
        return found

    def send(self, model: str, version: int, **rates: float) -> None:
        """Let the servers of a version be asked from now on."""
        with self.lock:
            self.traffic.setdefault(model, {}).setdefault(version, []).append(Traffic(time.time(), **rates))
            content = {
                f"{NAMESPACE}/{name}/{number}": [vars(each) for each in segments]
                for name, versions in self.traffic.items()
                for number, segments in versions.items()
            }
            scratch = self.directory / "counters.tmp"
            scratch.write_text(json.dumps(content))
            scratch.rename(self.directory / "counters.json")

    def declare(self, model: str, *, steps: tuple[int, ...] = (50, 100), threshold: int = 3, **rollout: Any) -> None:
        """Create a model that serves version 1, with version 2 beside it; Flagger has not moved anything."""
        objectives = {"success_rate_percent": {"at_least": 99}, "latency_p95_ms": {"at_most": 250}}
        if "min_labels" in rollout:
            objectives["correct_percent"] = {"at_least": 80}
        spec = a_spec(
            model, objectives=objectives, rollout={"requests_per_second": 20, "steps": list(steps), **rollout}
        )
        settings = {"strategy": "canary", "steps": [100], "interval_seconds": TICK, "threshold": threshold}
        environment = an_environment(
            rollout=settings, judge_url=f"http://{JUDGE}", prometheus_url=f"http://{PROMETHEUS}"
        )
        stable, candidate = a_release(model, 1), a_release(model, 2)
        made = compile_model(spec, a_plan(stable), environment)
        both = compile_model(spec, a_plan(stable, candidate), environment).inference_services
        for found in (*both, made.target, made.primary, made.canary_service, *compile_shared(environment), made.canary):
            apply_lenient(self.kube, found)
        for version in (1, 2):
            self.ready(model, version)

    def ready(self, model: str, version: int, status: str = "True") -> None:
        """Say whether an InferenceService is Ready."""
        body = {"status": {"conditions": [{"type": "Ready", "status": status}]}}
        name = names.inference_service(model, version)
        self.kube.patch(*INFERENCE_SERVICE, name, NAMESPACE, body, subresource="status")

    def point(self, model: str, version: int) -> None:
        """Point the target at a version."""
        body = {"spec": {"selector": names.selector(names.inference_service(model, version))}}
        self.kube.patch("v1", "Service", model, NAMESPACE, body)

    def status(self, model: str) -> dict[str, Any]:
        return self.kube.get(*CANARY, model, NAMESPACE).get("status") or {}

    def weight(self, model: str) -> int:
        return weights(model, self.kube.find(*ROUTE, model, NAMESPACE), {})[0]

    def live(self, model: str) -> int | None:
        """Return the version that users have."""
        service = self.kube.get("v1", "Service", names.primary(model), NAMESPACE)
        return names.selected_version(model, service["spec"]["selector"])

    def phase(self, model: str, *wanted: str, timeout: float = 180) -> dict[str, Any]:
        """Wait for one of the phases; return the status."""
        found = self.kube.wait_for(
            *CANARY,
            model,
            NAMESPACE,
            lambda canary: (canary.get("status") or {}).get("phase") in wanted,
            timeout=timeout,
        )
        return dict(found["status"])

    def stop(self) -> None:
        for name in list(self.processes):
            self.kill(name)
        self.kube.session.close()
        assert self.control.process.stdin
        self.control.process.stdin.close()
        self.control.process.wait(60)


def apply_lenient(kube: Kube, obj: dict[str, Any]) -> None:
    """Apply an object that may have fields unknown to its kind's definition."""
    metadata = obj["metadata"]
    path = kube.url_of(obj["apiVersion"], obj["kind"], metadata.get("namespace"), metadata["name"])
    kube.request("PATCH", path, params={"fieldManager": "slipway"}, body=obj, content_type=APPLY)


def until(holds: Callable[[], bool], timeout: float, what: str) -> None:
    """Wait for something that cannot be watched."""
    deadline = time.monotonic() + timeout
    while not holds():
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(0.2)


def start(directory: Path) -> Stage:
    """Start control plane, Flagger, judge, counters."""
    stage = Stage(kubelet_stage.start(directory, __file__), directory)
    for definition in _definitions():
        apply_lenient(stage.kube, definition)
    for kind in (CANARY, ROUTE, INFERENCE_SERVICE, ("flagger.app/v1beta1", "MetricTemplate")):
        until(lambda kind=kind: _served(stage.kube, kind), 60, f"{kind} is served")
    for name in (NAMESPACE, "flagger-system"):
        stage.kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    (directory / "counters.json").write_text("{}")
    stage.prometheus()
    stage.judge()
    stage.flagger()
    return stage


def _served(kube: Kube, kind: tuple[str, str]) -> bool:
    try:
        return kube.list(*kind) == []
    except KubeError:
        return False


def _definitions() -> list[dict[str, Any]]:
    """Flagger's, the route's; of KServe's only that there is such a kind."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    files = [
        toolchain.data("flagger") / "artifacts/flagger/crd.yaml",
        toolchain.data("gateway-api") / "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ]
    found = [each for file in files for each in yaml.load_all(file.read_text(), loader) if each]
    group, kind = INFERENCE_SERVICE[0].partition("/")[0], INFERENCE_SERVICE[1]
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": INFERENCE_SERVICE[0].partition("/")[2],
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}},
    }
    plural = f"{kind.lower()}s"
    spec = {
        "group": group,
        "names": {"kind": kind, "plural": plural, "singular": kind.lower(), "listKind": f"{kind}List"},
        "scope": "Namespaced",
        "versions": [version],
    }
    return [*found, {**_CRD, "metadata": {"name": f"{plural}.{group}"}, "spec": spec}]


if __name__ == "__main__":
    CONTROL = ((control_plane.etcd,), (control_plane.api_server,))
    sys.exit(kubelet_stage.main(Path(sys.argv[1]), CONTROL))
