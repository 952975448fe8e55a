"""Collector for the record of a model's present rollout or, if none runs, of its last one."""

from __future__ import annotations

import os
import time
from typing import Any

import requests

from slipway.clients.kube import Kube
from slipway.clients.prometheus import Prometheus
from slipway.delivery import acts, assemble, history, measure
from slipway.delivery.history import Noted
from slipway.delivery.record import RolloutRecord
from slipway.errors import SlipwayError
from slipway.rollout.state import RolloutState
from slipway.settings.environment import Environment

#: Seconds to wait for the judge's answer; the judge only reads files for it.
JUDGE_TIMEOUT = 3.0
#: Seconds before the end in which the start of a rollout without events is searched.
LOOK_BACK = 6 * 3600.0


def prometheus_of(environment: Environment) -> Prometheus:
    """Return a client for an environment's Prometheus; `SLIPWAY_PROMETHEUS_URL` overrides the address."""
    return Prometheus(os.environ.get("SLIPWAY_PROMETHEUS_URL") or environment.prometheus_url)


def judge_of(environment: Environment) -> str | None:
    """Return the judge's address, which `SLIPWAY_JUDGE_URL` overrides; None without a judge."""
    return os.environ.get("SLIPWAY_JUDGE_URL") or environment.judge_url


def collect(
    kube: Kube,
    prometheus: Prometheus,
    environment: Environment,
    state: RolloutState,
    *,
    since: float | None = None,
) -> RolloutRecord:
    """Return the record of a rollout; if Prometheus cannot be reached, it has no points.

    Args:
        since: Start of the rollout in seconds since the epoch; searched in events and weights if None.

    Raises:
        SlipwayError: The cluster cannot be read, or shows no rollout of the model.
    """
    now, model = time.time(), state.model
    namespace, following = environment.namespace, f"the next {acts.apply_said(environment)}"
    if not state.canary:
        raise SlipwayError(f"{model}: there is no Canary in namespace {namespace}; {following} makes it")
    noted = _noted(kube, judge_of(environment), namespace, model)
    running, ended = assemble.end_of(state)
    end = now if running else min(ended or now, now)
    start = since if since is not None else assemble.start_of(state, noted, running, end)
    if start is None:
        start = _weight_rose(prometheus, namespace, model, end, state.interval)
    if start is None:
        raise SlipwayError(f"{model}: no rollout has been seen in {environment.name}; {following} starts one")
    # One interval longer than the rollout, because its last requests are still being answered.
    after = end if running else end + state.interval
    grid = measure.moments(start, min(after, now), state.interval, whole=not running and after <= now)
    try:
        readings = measure.read(prometheus, namespace, model, grid, state.interval)
    except SlipwayError:
        readings = measure.Readings(grid[:1])
    return assemble.record(environment, state, noted, readings, start, None if running else end)


def ask_judge(url: str | None, path: str, **parameters: str) -> Any:
    """Return a JSON answer of the judge; None without a judge or an answer."""
    if not url:
        return None
    session = requests.Session()
    session.trust_env = False
    try:
        answer = session.get(f"{url.rstrip('/')}/{path}", params=parameters, timeout=JUDGE_TIMEOUT)
        return answer.json() if answer.ok else None
    except (requests.RequestException, ValueError):
        return None
    finally:
        session.close()


def _noted(kube: Kube, judge: str | None, namespace: str, model: str) -> list[Noted]:
    """Read the judge's ledger, which is exact, or else the Events of Kubernetes."""
    entries = ask_judge(judge, "ledger", namespace=namespace, model=model)
    if found := history.noted_in_ledger(entries or (), namespace, model):
        return found
    selector = f"involvedObject.kind=Canary,involvedObject.name={model}"
    path = kube.url_of("v1", "Event", namespace)
    return history.noted_in_events(kube.request("GET", path, params={"fieldSelector": selector})["items"])


def _weight_rose(prometheus: Prometheus, namespace: str, model: str, end: float, interval: float) -> float | None:
    """Return the start of a rollout without events, from the weights that Flagger exports to Prometheus."""
    try:
        found = prometheus.query_range(
            f'flagger_canary_weight{{workload="{model}",namespace="{namespace}"}}', end - LOOK_BACK, end, interval
        )
    except SlipwayError:
        return None
    first = None
    for at, weight in reversed([point for series in found for point in series.points]):
        if weight > 0:
            first = at
        elif first is not None:
            break
    # Two ticks of Flagger pass before the candidate gets its first request.
    return None if first is None else first - 2 * interval
