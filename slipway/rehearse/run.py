"""Plays one rollout in the lab, from two versions in the registry to Flagger's verdict.

It has a namespace of its own, which holds everything that it makes: deleting that is all the tidying there is. One that
was killed leaves its namespace, which the next rehearsal of the model deletes before it begins.
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

#: Seconds for both model servers to be ready, for a namespace to be gone.
READY_LIMIT = 180.0
GONE_LIMIT = 120.0
#: A rollout in a busy lab may take so many times what is predicted, and so many seconds more.
SLACK_FACTOR, SLACK_SECONDS = 2.0, 120.0
#: Seconds from a prediction to its label. Real labels come later; their delay is not rehearsed.
LABEL_DELAY = 1.0
MANAGER = "slipway-rehearse"


@dataclass(frozen=True)
class Lab:
    """A running lab, seen from the user's shell.

    Args:
        environment: Settings of its own stack.
        kube: Its API server.
        gateway: Address of its gateway.
        keys: Access and secret key of its object store.
        paths: Its files.
        sink: Where predictions and labels go; None where nobody observes.
    """

    environment: Environment
    kube: Kube
    gateway: str
    keys: tuple[str, str]
    paths: Paths
    sink: Sink | None = None


@dataclass(frozen=True)
class Played:
    """What a rehearsal showed.

    Args:
        record: The rollout.
        comparison: What both versions answered to the same requests.
        requests_per_second: What the lab was asked.
    """

    record: RolloutRecord
    comparison: Comparison
    requests_per_second: float


def play(lab: Lab, spec: ModelSpec, sides: Sides, rehearsed: Environment, asked: Sequence[Request]) -> Played:
    """Play a rollout; whatever happens, nothing of it stays in the lab.

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
    """Bring both versions up, users' requests on the stable one."""
    for obj in stage.before:
        kube.apply(obj, field_manager=MANAGER, force=True)
    services = [each["metadata"]["name"] for each in stage.compiled.inference_services]
    with step(f"model servers ready: {', '.join(services)}", 20):
        for service in services:
            _wait(kube, stage, cluster.INFERENCE_SERVICE, service, is_ready, "is not Ready")
    with step("Flagger has taken over their traffic"):
        _wait(kube, stage, cluster.CANARY, stage.spec.name, is_initialized, "is not initialized")


def _roll_out(lab: Lab, stage: Stage, per_second: float) -> RolloutRecord:
    """Move the target, watch until Flagger has decided."""
    model, environment = stage.spec.name, stage.environment
    expected = predict(stage.compiled.canary, environment.name, per_second).settled_seconds
    prometheus, started = prometheus_of(environment), time.time()
    lab.kube.apply(stage.target, field_manager=MANAGER, force=True)

    seen: dict[str, RolloutRecord] = {}

    def look() -> Mapping[str, RolloutRecord]:
        # Before Flagger has noticed, there is no rollout to tell of.
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
    """Say why a rollout that failed says nothing about its candidate; empty where it does.

    A check without data fails, as it must; where the stable version could not be seen, the lab was too busy.
    """
    halted = [each.reason for each in record.decisions if each.kind == "halted"]
    stable = names.inference_service(record.model, record.stable_version)
    if record.outcome == "failed" and halted and all(f"no server of {stable}" in reason for reason in halted):
        return f"the lab could not measure it: {halted[-1]}"
    return ""


@contextlib.contextmanager
def _namespace(lab: Lab, model: str) -> Iterator[str]:
    """Own a namespace; at the end, and before it, none of the model's rehearsals has one."""
    with _alone(lab.paths, model):
        _remove_all(lab.kube, model)
        try:
            # A name that was never used before: what was measured in another rehearsal is not taken for this one's.
            yield f"rehearsal-{secrets.token_hex(4)}"
        finally:
            _remove_all(lab.kube, model)


@contextlib.contextmanager
def _alone(paths: Paths, model: str) -> Iterator[None]:
    """Hold the lock of a model's rehearsals; the kernel lets go of it when the process ends, however it ends."""
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
    """Delete what rehearsals of a model have left; a second Control-C must not leave more."""
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
    """Wait until the new route leads to the stable version, which must answer."""
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
