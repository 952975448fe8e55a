"""The state of all models of an environment, for `slipway rollout status`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from slipway.clients.kube import Kube
from slipway.delivery import acts, llm
from slipway.delivery.acts import Recorded
from slipway.delivery.collect import ask_judge, collect, judge_of, prometheus_of
from slipway.delivery.record import RolloutRecord
from slipway.delivery.recorded import recorded
from slipway.errors import SlipwayError
from slipway.models.spec import ModelSpec
from slipway.rollout import cluster, state
from slipway.rollout.state import RolloutState
from slipway.settings.environment import Environment


def overview(
    project: Path, environment: Environment, kube: Kube, specs: Mapping[str, ModelSpec]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each model, and notices for the operator.

    Four requests go to the cluster and one to Prometheus, for any number of models; one for each running rollout goes
    to the judge. If Prometheus or the judge cannot be reached, their columns stay empty.

    Raises:
        SlipwayError: The cluster cannot be reached, or a file does not fit.
    """
    found = state.read(kube, environment.namespace, [name for name, spec in specs.items() if not spec.llm])
    written, notices = recorded(project, environment, specs)
    now = time.time()
    running = [name for name, each in found.items() if each.situation(now) == "running"]
    evidence = _evidence(environment, notices) if running else {}
    holds = dict[str, str]()
    for name in running:
        verdict = ask_judge(judge_of(environment), "verdict", namespace=environment.namespace, model=name)
        holds[name] = (verdict or {}).get("waits_for") or ""
    rows = [
        row(each, written[name], evidence.get(name) if name in running else None, holds.get(name, ""), environment, now)
        for name, each in found.items()
    ]
    if llms := [name for name, spec in specs.items() if spec.llm]:
        seen = cluster.observe(kube, environment.namespace, llms)
        rows += [llm.row(name, seen[name], written[name]) for name in llms]
    return sorted(rows, key=lambda one: str(one["model"])), notices


def under_way(environment: Environment, kube: Kube, models: Iterable[str]) -> list[str]:
    """List the models whose rollout is running or pending.

    Raises:
        SlipwayError: The cluster cannot be reached.
    """
    now = time.time()
    found = state.read(kube, environment.namespace, models)
    return [name for name, each in found.items() if each.situation(now) in ("running", "pending")]


def records(environment: Environment, kube: Kube, models: Iterable[str]) -> dict[str, RolloutRecord]:
    """Return the records of models' rollouts; none for a pending rollout, whose Canary still shows the previous one.

    Raises:
        SlipwayError: The cluster cannot be reached, or shows no rollout of a model.
    """
    now = time.time()
    found = state.read(kube, environment.namespace, models)
    prometheus = prometheus_of(environment)
    return {
        name: collect(kube, prometheus, environment, each)
        for name, each in found.items()
        if each.situation(now) not in ("absent", "pending", "starting")
    }


def row(
    seen: RolloutState, written: Recorded, evidence: float | None, hold: str, environment: Environment, now: float
) -> dict[str, Any]:
    """Return the row of one model.

    Args:
        seen: The state in the cluster.
        written: The recorded versions.
        evidence: The judge's e-value, while a rollout runs.
        hold: The judge's reason to hold the rollout at its weight; empty without one.
        environment: The environment's settings.
        now: Seconds since the epoch.
    """
    act = acts.act(seen, written, environment, now)
    return {
        "model": seen.model,
        "situation": act.situation,
        "stable": seen.seen.live_version,
        "stable_release": seen.release(seen.seen.live_version),
        "candidate": seen.candidate,
        "candidate_release": seen.release(seen.candidate),
        "phase": seen.seen.phase,
        "weight": seen.weight,
        "failed_checks": int(seen.status.get("failedChecks") or 0),
        "evidence": evidence,
        "waits_for": hold if hold and act.waits_for else act.waits_for,
        "next": act.next,
        "why": act.why,
    }


def _evidence(environment: Environment, notices: list[str]) -> dict[str, float]:
    query = f'flagger_canary_metric_analysis{{namespace="{environment.namespace}",metric="evidence"}}'
    try:
        return {sample.labels["name"]: sample.value for sample in prometheus_of(environment).query(query)}
    except SlipwayError as error:
        notices.append(f"{error}; the evidence is unknown")
        return {}
