"""Really served models with their users, while rollouts happen."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local_stack import CANARY, Stack

from slipway.clients.kube import KubeError
from slipway.clients.prometheus import Prometheus
from slipway.lab import state
from slipway.lab.seed.recipes import DEMO_MODELS
from slipway.lab.seed.users import user_requests
from slipway.observe.client import Client
from slipway.traffic.requests import Stream
from slipway.traffic.shares import Shares, shares
from slipway.traffic.stream import Traffic

CANCER, DIABETES, WINE = "breast-cancer", "diabetes-progression", "wine-cultivar"
MODELS = {model.name: model for model in DEMO_MODELS}
PER_SECOND = 20.0
#: Registers the accident of the model that is its argument.
REGISTER = """
import os, sys
from slipway.lab.seed.accidents import ACCIDENTS
from slipway.lab.seed.recipes import DEMO_MODELS
from slipway.lab.seed.registry import register
(model,) = (model for model in DEMO_MODELS if model.name == sys.argv[1])
register(os.environ["MLFLOW_TRACKING_URI"], "a" * 40, model, ACCIDENTS[model.name])
"""


def users(lab: Any, *models: str, labels: bool = True) -> Traffic:
    """Return the users of some models; without labels nobody ever learns whether an answer was right."""
    streams = [
        Stream(
            model,
            f"http://{model}.models.localhost/v2/models/{model}/infer",
            user_requests(MODELS[model]),
            PER_SECOND,
        )
        for model in models
    ]
    return Traffic(lab.gateway_url, streams, sink=Client(lab.facts.url("observe")) if labels else None)


def processes(lab: Any) -> Iterator[Path]:
    """Yield the /proc directory of everything that runs in this lab, and in no other."""
    facts = state.load(lab.paths)
    assert facts
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    waiting = [facts.supervisor]
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        yield Path(f"/proc/{pid}")


def component(lab: Any, binary: str) -> int:
    """Return the process id, as the machine has it, of one of the lab's components."""
    for process in processes(lab):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes().split(b"\0")[0].endswith(f"/{binary}".encode()):
                return int(process.name)
    raise AssertionError(f"{binary} does not run")


def servers(lab: Any, service: str) -> list[int]:
    """Return the process ids of an InferenceService's model servers."""
    found = []
    for process in processes(lab):
        with contextlib.suppress(OSError):
            host = f"HOSTNAME={service}-predictor-".encode()
            if any(variable.startswith(host) for variable in (process / "environ").read_bytes().split(b"\0")):
                found.append(int(process.name))
    return found


@dataclass
class Changes:
    """Every state of a kind's objects, in the order in which the API server told them."""

    seen: list[tuple[float, dict[str, Any]]] = field(default_factory=list)

    def follow(self, stack: Stack, *kinds: tuple[str, str]) -> None:
        """Begin to listen, until the API server goes away."""

        def listen(kind: tuple[str, str]) -> None:
            with contextlib.suppress(KubeError):
                for event, found in stack.kube.watch(*kind, "models", timeout_seconds=3600):
                    if event != "DELETED":
                        self.seen.append((time.time(), {"kind": kind[1], **found}))

        for kind in kinds:
            threading.Thread(target=listen, args=(kind,), daemon=True).start()

    def of(self, kind: str, name: str) -> list[tuple[float, dict[str, Any]]]:
        """Return the states of one object."""
        return [(at, it) for at, it in self.seen if (it["kind"], it["metadata"]["name"]) == (kind, name)]

    def weights(self, model: str) -> list[tuple[float, int, int]]:
        """Return what a route gave the primary, the canary: (when, percent, percent), without repetitions."""
        found: list[tuple[float, int, int]] = []
        for at, route in self.of("HTTPRoute", model):
            (rule,) = route["spec"]["rules"]
            given = {each["name"]: each["weight"] for each in rule["backendRefs"]}
            pair = given[f"{model}-primary"], given[f"{model}-canary"]
            if not found or found[-1][1:] != pair:
                found.append((at, *pair))
        return found

    def selected(self, service: str) -> list[tuple[float, str]]:
        """Return which InferenceServices a Service selected, without repetitions."""
        found: list[tuple[float, str]] = []
        for at, it in self.of("Service", service):
            name = it["spec"]["selector"]["app"].removeprefix("isvc.").removesuffix("-predictor")
            if not found or found[-1][1] != name:
                found.append((at, name))
        return found


@dataclass
class Round:
    """What happened."""

    began: float = field(default_factory=time.time)
    shares: dict[str, Shares] = field(default_factory=dict)
    phases: dict[str, str] = field(default_factory=dict)
    served: dict[str, str] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)

    def end(self, stack: Stack, *models: str) -> None:
        """Look at how it ended; the gateway's last counts are awaited."""
        prometheus, end = Prometheus(stack.lab.facts.url("prometheus")), time.time()
        stamp = 'timestamp(up{job="gateway"})'
        deadline = time.monotonic() + 30
        while not any(sample.value > end for sample in prometheus.query(stamp)):
            assert time.monotonic() < deadline, "Prometheus does not scrape the gateway"
            time.sleep(0.2)  # a scrape tells nobody that it is over
        for model in models:
            self.shares[model] = shares(prometheus, "models", model, self.began, time.time())
            self.served[model] = stack.served(model)
            self.phases[model] = stack.kube.get(*CANARY, model, "models")["status"]["phase"]
