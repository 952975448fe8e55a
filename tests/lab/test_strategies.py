"""Each strategy, run by real Flagger on the real gateway.

Servers that only say their version stand for models, and the test for the judge: it says when Flagger may go on. All
rollouts go on at the same time, since each waits for Flagger's looks, ten seconds apart.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from builders import a_plan, a_release, a_spec, an_environment

from slipway import names
from slipway.clients.kube import Kube
from slipway.clients.prometheus import Prometheus
from slipway.compile import compile_model, compile_shared
from slipway.judge.shadows import COPIES
from slipway.objects import Object
from slipway.traffic.shares import Shares, shares

NAMESPACE, SUFFIX = "test-strategies", "strategies.example.com"
#: Seconds for several looks of Flagger, on busy cores.
LOOKS = 90.0
GATEWAY = {"name": "models", "namespace": "gateway-system", "host_suffix": SUFFIX, "mirrors": "traefik"}

#: Notes each request with one byte.
SERVER = """
import http.server, sys
class Model(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with open(sys.argv[2], "a") as noted:
            noted.write(".")
        self.send_response(200); self.end_headers(); self.wfile.write(sys.argv[1].encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 8080), Model).serve_forever()
"""
#: Says yes to a hook as often as its file says, to `event` always; notes what it was asked, by model.
JUDGE = """
import http.server, json, pathlib, sys
class Judge(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        result = [{"metric": {}, "value": [0, "1"]}]
        self.answer(200, json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}))
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        home, hook = pathlib.Path(sys.argv[1]) / body["name"], self.path[1:]
        with (home / "asked").open("a") as asked:
            asked.write(hook + "\\n")
        left = int((home / hook).read_text()) if (home / hook).exists() else 0
        if left:
            (home / hook).write_text(str(left - 1))
        self.answer(200 if left or hook == "event" else 403, "")
    def answer(self, status, text):
        self.send_response(status); self.end_headers(); self.wfile.write(text.encode())
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", 9091), Judge).serve_forever()
"""


@dataclass(frozen=True)
class Rollout:
    """One model on its way from version 7 to version 8."""

    kube: Kube
    model: str
    gateway: str
    prometheus: str
    gates: Path

    def allow(self, hook: str, times: int = 1_000) -> None:
        """Let the judge say yes from now on."""
        (self.gates / hook).write_text(str(times))

    def move(self) -> None:
        """Point the target at version 8."""
        selector = names.selector(names.inference_service(self.model, 8))
        self.kube.patch("v1", "Service", self.model, NAMESPACE, {"spec": {"selector": selector}})

    def copy(self) -> None:
        """Have requests copied as an `up` does, once the target has moved."""
        spec = a_spec(self.model, rollout=SCENARIOS[self.model][0])
        plan = a_plan(a_release(self.model, 7), a_release(self.model, 8))
        for made in compile_model(spec, plan, an_environment(namespace=NAMESPACE, gateway=GATEWAY)).copies:
            self.kube.create(made)

    def noted(self, version: int) -> int:
        """Count the requests that a version has had."""
        notes = self.gates / f"noted-{version}"
        return notes.stat().st_size if notes.exists() else 0

    def asked(self, hook: str) -> int:
        """Count how often Flagger asked the judge something."""
        return (self.gates / "asked").read_text().split().count(hook)

    def status(self, *keys: str) -> list[Any]:
        found = self.kube.get("flagger.app/v1beta1", "Canary", self.model, NAMESPACE)["status"]
        return [found[key] for key in keys]

    def is_quiet(self) -> bool:
        """Tell whether users are answered without the candidate being asked."""
        before = self.noted(8)
        self.always("7")
        return self.noted(8) == before

    def until(self, phase: str, **status: Any) -> Object:
        def there(canary: Object) -> bool:
            now = canary.get("status", {})
            return now.get("phase") == phase and all(now.get(key) == value for key, value in status.items())

        return self.kube.wait_for("flagger.app/v1beta1", "Canary", self.model, NAMESPACE, there, timeout=LOOKS)

    def routed(self, *weights: int) -> None:
        """Return once the route has these weights: primary, canary."""

        def has(route: Object) -> bool:
            return [backend["weight"] for backend in route["spec"]["rules"][0]["backendRefs"]] == list(weights)

        self.kube.wait_for("gateway.networking.k8s.io/v1", "HTTPRoute", self.model, NAMESPACE, has, timeout=LOOKS)

    def primary(self) -> int | None:
        service = self.kube.get("v1", "Service", names.primary(self.model), NAMESPACE)
        return names.selected_version(self.model, service["spec"]["selector"])

    def promoted(self) -> None:
        """Return once version 8 is what stays, with what we wrote on its Service (invariant 11)."""
        self.until("Succeeded")
        assert self.primary() == 8
        service = self.kube.get("v1", "Service", names.primary(self.model), NAMESPACE)
        assert service["metadata"]["labels"] == {names.MODEL: self.model}

    def ask(self, **headers: str) -> str:
        """Ask as a user does."""
        own = {"Host": names.host(self.model, SUFFIX), **{name.replace("_", "-"): v for name, v in headers.items()}}
        return requests.get(self.gateway, headers=own, timeout=5).text

    def answers(self, version: str, **headers: str) -> None:
        """Return once a version answers: the gateway follows its route within moments, and tells nobody when."""
        deadline = time.monotonic() + 10
        while (got := self.ask(**headers)) != version:
            assert time.monotonic() < deadline, f"{self.model}: {headers or 'everybody'} got {got!r}, not {version!r}"
            time.sleep(0.1)

    def always(self, version: str, **headers: str) -> None:
        assert {self.ask(**headers) for _ in range(50)} == {version}


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that tells nobody."""
    deadline = time.monotonic() + LOOKS
    while not holds():
        assert time.monotonic() < deadline, f"not within {LOOKS:.0f} s: {what}"
        time.sleep(0.2)


@contextmanager
def users(rollout: Rollout) -> Iterator[list[tuple[int, str]]]:
    """Ask ten times a second; yields what was answered."""
    answered: list[tuple[int, str]] = []
    over = threading.Event()

    def ask() -> None:
        host = {"Host": names.host(rollout.model, SUFFIX)}
        while not over.wait(0.1):
            answer = requests.get(rollout.gateway, headers=host, timeout=5)
            answered.append((answer.status_code, answer.text))

    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(ask)
        try:
            yield answered
        finally:
            over.set()
        asking.result()


def immediate(rollout: Rollout) -> None:
    rollout.move()
    rollout.promoted()
    rollout.answers("8")


def ab_by_header(rollout: Rollout) -> None:
    rollout.allow("confirm-rollout")
    rollout.move()
    rollout.routed(0, 100)
    rollout.answers("8", x_beta="yes")
    rollout.always("8", X_Beta="yes")
    rollout.always("7")
    rollout.always("7", x_beta="no")
    rollout.until("WaitingPromotion")
    rollout.always("7")
    rollout.allow("confirm-promotion")
    rollout.promoted()
    rollout.always("8")


def ab_by_cookie(rollout: Rollout) -> None:
    rollout.allow("confirm-rollout")
    rollout.move()
    rollout.routed(0, 100)
    rollout.answers("8", Cookie="a=b; beta=yes")
    rollout.always("8", Cookie="beta=yes; c=d")
    rollout.always("7", Cookie="beta=yes2")
    rollout.always("7")
    rollout.allow("rollback")
    rollout.until("Failed")
    rollout.answers("7", Cookie="beta=yes")
    assert rollout.primary() == 7


def blue_green_promoted(rollout: Rollout) -> None:
    rollout.allow("confirm-rollout")
    rollout.move()
    # Held before the switch: nobody has seen the candidate.
    rollout.until("WaitingPromotion")
    rollout.always("7")
    rollout.allow("confirm-promotion")
    rollout.routed(0, 100)
    rollout.promoted()
    rollout.always("8")


def blue_green_taken_back(rollout: Rollout) -> None:
    rollout.allow("confirm-rollout")
    rollout.allow("confirm-promotion", 1)
    rollout.move()
    rollout.routed(0, 100)
    rollout.answers("8")
    # Held after the switch: everybody gets the candidate, and what they had before stands ready.
    rollout.until("WaitingPromotion")
    rollout.always("8")
    assert rollout.primary() == 7
    rollout.allow("rollback")
    rollout.until("Failed")
    rollout.answers("7")
    rollout.always("7")


def sides(rollout: Rollout, began: float) -> Shares:
    return shares(Prometheus(rollout.prometheus), NAMESPACE, rollout.model, began, time.time())


def shadow(rollout: Rollout) -> None:
    began = time.time()
    rollout.allow("confirm-rollout")
    with users(rollout) as answered:
        rollout.move()
        rollout.copy()
        rollout.until("WaitingPromotion")
        until(lambda: rollout.noted(8) > 0, "the candidate is asked copies")
        # Flagger takes its iteration back, counts it again, asks again: it may do so for ever.
        until(lambda: rollout.asked("confirm-promotion") >= 3, "Flagger asks again and again")
        assert rollout.status("phase", "iterations") in (["WaitingPromotion", 0], ["WaitingPromotion", 1])
        before = rollout.noted(7), rollout.noted(8)
        rollout.always("7")
        asked = rollout.noted(7) - before[0]
        assert asked >= 50
        until(lambda: rollout.noted(8) - before[1] >= 0.95 * asked, "the candidate is asked as often as the primary")
        assert rollout.noted(8) - before[1] <= 1.05 * (rollout.noted(7) - before[0])
        rollout.routed(100, 0)
        # What `slipway rollout abort` makes the judge say.
        rollout.allow("rollback")
        rollout.until("Failed")
        # The lab's own judge sees that it is over.
        router = names.shadow(names.inference_service(rollout.model, 8))
        until(lambda: rollout.kube.find(*COPIES, router, NAMESPACE) is None, "the copies end")
        until(rollout.is_quiet, "the gateway has noticed it")
        quiet = rollout.noted(8)
        rollout.always("7")
        assert rollout.noted(8) == quiet
        assert rollout.primary() == 7
    # What the gateway counts, too.
    until(lambda: sides(rollout, began).primary.requests >= len(answered), "Prometheus has asked the gateway")
    assert sides(rollout, began).primary.failed == 0
    assert sides(rollout, began).canary.requests >= 0.95 * rollout.noted(8)
    assert len(answered) > 100
    assert set(answered) == {(200, "7")}


def move(strategy: str, **changes: Any) -> Object:
    return {"strategy": strategy, "requests_per_second": 20, **changes}


SCENARIOS: dict[str, tuple[Object, Callable[[Rollout], None]]] = {
    "now": (move("immediate"), immediate),
    "header": (move("ab", audience={"header": "X-Beta", "value": "yes"}), ab_by_header),
    "cookie": (move("ab", audience={"cookie": "beta", "value": "yes"}), ab_by_cookie),
    "green": (move("blue-green"), blue_green_promoted),
    "blue": (move("blue-green"), blue_green_taken_back),
    "dark": (move("shadow"), shadow),
}


@pytest.fixture(scope="module")
def tried(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[None]]]:
    """Every scenario, begun once its model has been initialised."""
    kube, gates = Kube.from_kubeconfig(lab.kubeconfig), tmp_path_factory.mktemp("gates")
    kube.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    for model in SCENARIOS:
        (gates / model).mkdir()
        (gates / model / "asked").touch()
        for version in (7, 8):
            labels = names.selector(names.inference_service(model, version))
            notes = str(gates / model / f"noted-{version}")
            kube.create(pod(f"{model}-{version}", SERVER, (str(version), notes), labels))
    kube.create(pod("judge", JUDGE, (str(gates),), {}))
    address = kube.wait_for("v1", "Pod", "judge", NAMESPACE, ready, timeout=LOOKS)["status"]["podIP"]
    environment = an_environment(
        namespace=NAMESPACE,
        judge_url=f"http://{address}:9091",
        gateway=GATEWAY,
        rollout={"strategy": "canary", "steps": [10, 100], "interval_seconds": 10, "threshold": 2},
    )
    for template in compile_shared(environment):
        kube.create(template)
    for model, (spec, _) in SCENARIOS.items():
        compiled = compile_model(a_spec(model, rollout=spec), a_plan(a_release(model, 7)), environment)
        for made in (compiled.target, compiled.primary, compiled.canary_service, compiled.canary):
            kube.create(made)

    def run(model: str) -> None:
        own = Kube.from_kubeconfig(lab.kubeconfig)
        try:
            rollout = Rollout(own, model, lab.gateway_url, lab.facts.url("prometheus"), gates / model)
            rollout.until("Initialized")
            rollout.answers("7")
            SCENARIOS[model][1](rollout)
        finally:
            own.session.close()

    with ThreadPoolExecutor(len(SCENARIOS)) as pool:
        yield {model: pool.submit(run, model) for model in SCENARIOS}
    kube.delete("v1", "Namespace", NAMESPACE)
    kube.session.close()


def pod(name: str, code: str, arguments: tuple[str, ...], labels: dict[str, str]) -> Object:
    container = {"name": "main", "image": "busybox:1", "command": [sys.executable, "-c", code, *arguments]}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def ready(found: Object) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def test_an_immediate_rollout_serves_everybody_at_the_next_look(tried: Any) -> None:
    tried["now"].result()


def test_an_ab_test_gives_the_candidate_to_those_with_the_header_until_it_is_promoted(tried: Any) -> None:
    tried["header"].result()


def test_an_ab_test_by_cookie_is_taken_back_from_those_who_had_it(tried: Any) -> None:
    tried["cookie"].result()


def test_a_blue_green_rollout_shows_nobody_the_candidate_before_everybody_gets_it(tried: Any) -> None:
    tried["green"].result()


def test_a_blue_green_rollout_is_taken_back_while_the_old_version_still_stands_ready(tried: Any) -> None:
    tried["blue"].result()


def test_a_shadow_is_asked_what_users_ask_and_answers_nobody_until_it_is_aborted(tried: Any) -> None:
    tried["dark"].result()


def test_invariant_11_the_primary_keeps_our_labels_when_it_is_promoted(tried: Any) -> None:
    """Flagger writes the primary's labels anew, and keeps those of the prefix that it was told."""
    for model in ("now", "header", "green"):
        tried[model].result()


def test_flagger_asks_for_what_a_strategy_needs_only(tried: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    for future in tried.values():
        future.exception()
    asked = {
        path.parent.name: set(path.read_text().split())
        for path in sorted(tmp_path_factory.getbasetemp().glob("gates*/*/asked"))
    }
    assert asked["now"] == {"event"}
    for model in ("header", "green", "blue", "dark"):
        assert asked[model] == {"confirm-rollout", "confirm-promotion", "rollback", "event"}, model
    # It was taken back before anybody thought of promoting it.
    assert asked["cookie"] == {"confirm-rollout", "rollback", "event"}
