"""One rollout in the lab, from two versions in the registry to Flagger's verdict.

Deleting the namespace of a rehearsal removes everything that it made. A killed rehearsal leaves its namespace, which
the next rehearsal of the model deletes before it begins.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import requests

from slipway import names
from slipway.clients.inference import ask
from slipway.clients.kube import Kube, KubeError
from slipway.delivery import readings
from slipway.delivery.collect import collect, prometheus_of
from slipway.delivery.record import RolloutRecord
from slipway.delivery.view import watch
from slipway.errors import ExitCode, SlipwayError
from slipway.lab.paths import Paths, private_directory
from slipway.models.spec import ModelSpec
from slipway.planning.timeline import predict
from slipway.progress import step
from slipway.rehearse import stage as staging
from slipway.rehearse.answers import Answers, Comparison
from slipway.rehearse.sides import Sides
from slipway.rehearse.stage import NAMESPACE, REHEARSAL, Stage
from slipway.rollout import cluster
from slipway.rollout.canary import is_initialized
from slipway.rollout.observed import is_ready
from slipway.rollout.state import read
from slipway.settings.environment import Environment
from slipway.traffic.reports import Sink
from slipway.traffic.requests import Request, Stream
from slipway.traffic.stream import Traffic

#: Seconds within which both model servers must be ready, and a namespace must be gone.
READY_LIMIT = 180.0
GONE_LIMIT = 120.0
#: Limit for a rollout in a busy lab: so many times the predicted seconds, plus so many seconds.
SLACK_FACTOR, SLACK_SECONDS = 2.0, 120.0
#: Seconds from a prediction to its label. Real labels come later; their delay is not rehearsed.
LABEL_DELAY = 1.0
MANAGER = "slipway-rehearse"


@dataclass(frozen=True)
class Lab:
    """A running lab, as the user's shell sees it."""

    #: Settings of the lab's stack.
    environment: Environment
    kube: Kube
    #: Address of the gateway.
    gateway: str
    #: Access and secret key of the object store.
    keys: tuple[str, str]
    paths: Paths
    #: Receiver of predictions and labels, if any.
    sink: Sink | None = None


@dataclass(frozen=True)
class Played:
    """A rollout in the lab."""

    record: RolloutRecord
    comparison: Comparison
    requests_per_second: float


def play(lab: Lab, spec: ModelSpec, sides: Sides, rehearsed: Environment, asked: Sequence[Request]) -> Played:
    """Play a rollout in the lab; nothing of it stays there, also after a failure.

    Raises:
        SlipwayError: Another rehearsal of the model runs, the lab is away, or the stable version does not answer.
    """
    labelled = any(each.label is not None for each in asked)
    with _namespace(lab, spec.name) as namespace:
        stage = staging.stage(namespace, spec, sides, lab.environment, rehearsed, keys=lab.keys, labelled=labelled)
        _set_up(lab.kube, stage)
        url = stage.environment.gateway.infer_url(spec.name)
        with step("the stable version answers through the gateway"):
            _answers(lab.gateway, url, asked[0])
        answers, per_second = Answers(lab.sink), staging.rate(spec, stage.environment)
        stream = Stream(spec.name, url, asked, per_second, namespace)
        with Traffic(lab.gateway, [stream], sink=answers, label_delay=LABEL_DELAY):
            record = _roll_out(lab, stage, per_second)
        if blind := unseen(record):
            raise SlipwayError(
                f"rehearse {spec.name}: {blind}; try again when this machine has less to do", ExitCode.MACHINE
            )
        comparison = answers.compare(sides.stable.version, sides.candidate.version, spec.objectives.within)
    return Played(record, comparison, per_second)


def _set_up(kube: Kube, stage: Stage) -> None:
    """Start both versions, with all requests on the stable one."""
    for obj in stage.before:
        kube.apply(obj, field_manager=MANAGER, force=True)
    services = [each["metadata"]["name"] for each in stage.compiled.inference_services]
    with step(f"model servers ready: {', '.join(services)}", 20):
        for service in services:
            _wait(kube, stage, cluster.INFERENCE_SERVICE, service, is_ready, "is not Ready")
    with step("Flagger has taken over their traffic"):
        _wait(kube, stage, cluster.CANARY, stage.spec.name, is_initialized, "is not initialized")


def _roll_out(lab: Lab, stage: Stage, per_second: float) -> RolloutRecord:
    """Move the target and watch until Flagger has decided."""
    model, environment = stage.spec.name, stage.environment
    expected = predict(stage.compiled.canary, environment.name, per_second).settled_seconds
    prometheus, started = prometheus_of(environment), time.time()
    lab.kube.apply(stage.target, field_manager=MANAGER, force=True)

    seen: dict[str, RolloutRecord] = {}

    def look() -> Mapping[str, RolloutRecord]:
        # Until Flagger has noticed, there is no rollout.
        canary = lab.kube.get(*cluster.CANARY, model, stage.namespace)
        if (canary.get("status") or {}).get("phase") != "Initialized":
            state = read(lab.kube, stage.namespace, [model])[model]
            seen[model] = collect(lab.kube, prometheus, environment, state, since=started)
        return seen

    limit = SLACK_FACTOR * expected + SLACK_SECONDS
    try:
        return watch(look, [model], limit=limit)[model]
    except SlipwayError as error:
        waits = f"; it waits for {readings.waits_for(seen[model])}" if model in seen else ""
        raise SlipwayError(f"rehearse {error}{waits}", ExitCode.UNREACHABLE) from None


def unseen(record: RolloutRecord) -> str:
    """Return the reason for which a failed rollout says nothing about its candidate; empty if there is none.

    A check without data fails; if data of the stable version was missing, the lab was too busy.
    """
    halted = [each.reason for each in record.decisions if each.kind == "halted"]
    stable = names.inference_service(record.model, record.stable_version)
    if record.outcome == "failed" and halted and all(f"no server of {stable}" in reason for reason in halted):
        return f"the lab could not measure it: {halted[-1]}"
    return ""


@contextlib.contextmanager
def _namespace(lab: Lab, model: str) -> Iterator[str]:
    """Reserve a namespace; delete those of the model's rehearsals before and after."""
    with _alone(lab.paths, model):
        _remove_all(lab.kube, model)
        try:
            # A new name, so that measurements of an earlier rehearsal do not count.
            yield f"rehearsal-{secrets.token_hex(4)}"
        finally:
            _remove_all(lab.kube, model)


@contextlib.contextmanager
def _alone(paths: Paths, model: str) -> Iterator[None]:
    """Hold the lock of a model's rehearsals; the kernel releases it when the process ends."""
    file = private_directory(paths.root) / f"rehearsal-{model}.lock"
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SlipwayError(
                f"rehearse {model}: another rehearsal of it runs in this lab; wait for its end", ExitCode.BUSY
            ) from None
        yield
    finally:
        os.close(descriptor)


def _remove_all(kube: Kube, model: str) -> None:
    """Delete the namespaces of a model's rehearsals: all first, so that a second Control-C leaves none."""
    left = [each["metadata"]["name"] for each in kube.list(*NAMESPACE, label_selector=f"{REHEARSAL}={model}")]
    for name in left:
        kube.delete(*NAMESPACE, name)
    for name in left:
        with step(f"remove namespace {name}"):
            _gone(kube, name)


def _gone(kube: Kube, namespace: str) -> None:
    deadline = time.monotonic() + GONE_LIMIT
    while (found := kube.find(*NAMESPACE, namespace)) is not None:
        left = deadline - time.monotonic()
        if left <= 0:
            raise SlipwayError(
                f"namespace {namespace}: not gone after {GONE_LIMIT:.0f} s; the next rehearsal deletes it"
            )
        with contextlib.suppress(KubeError):
            version = found["metadata"]["resourceVersion"]
            for event, _ in kube.watch(
                *NAMESPACE,
                resource_version=version,
                timeout_seconds=min(left, 10),
                field_selector=f"metadata.name={namespace}",
            ):
                if event == "DELETED":
                    return


def _answers(gateway: str, url: str, request: Request) -> None:
    """Send the first request, which the stable version must answer."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            ask(session, gateway, url, json.loads(request.body))
        except SlipwayError as error:
            raise SlipwayError(f"rehearse: the stable version must answer the first request: {error}") from None


def _wait(
    kube: Kube, stage: Stage, kind: tuple[str, str], name: str, holds: Callable[[Any], bool], otherwise: str
) -> None:
    try:
        kube.wait_for(*kind, name, stage.namespace, holds, timeout=READY_LIMIT)
    except TimeoutError:
        raise SlipwayError(
            f"{kind[1]} {name}: {otherwise} after {READY_LIMIT:.0f} s; `slipway lab logs` says why",
            ExitCode.UNREACHABLE,
        ) from None
