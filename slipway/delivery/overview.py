"""Where all models of an environment stand: what `slipway rollout status` shows."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway import cluster
from slipway.delivery import acts
from slipway.delivery.acts import Recorded
from slipway.delivery.collect import ask_judge, judge_of, prometheus_of
from slipway.delivery.recorded import recorded
from slipway.delivery.state import RolloutState
from slipway.environment import Environment
from slipway.errors import SlipwayError
from slipway.kube import Kube
from slipway.model_spec import ModelSpec


def overview(
    project: Path, environment: Environment, kube: Kube, specs: Mapping[str, ModelSpec]
) -> tuple[list[dict[str, Any]], list[str]]:
    """Return a row for each model, with what a person should know about the reading.

    The cluster is asked four times, Prometheus once, whatever the number of models; the judge once for each rollout
    that runs. Without the last two the rest is shown.

    Raises:
        SlipwayError: The cluster cannot be reached, or a file does not fit.
    """
    found = cluster.states(kube, environment.namespace, specs)
    written, notices = recorded(project, environment, specs)
    now = time.time()
    running = [name for name, state in found.items() if state.situation(now) == "running"]
    evidence = _evidence(environment, notices) if running else {}
    holds = {name: _hold(environment, name) for name in running}
    return [
        row(state, written[name], evidence.get(name) if name in running else None, holds.get(name, ""), now)
        for name, state in found.items()
    ], notices


def row(state: RolloutState, written: Recorded, evidence: float | None, hold: str, now: float) -> dict[str, Any]:
    """Say where one model stands.

    Args:
        state: What the cluster shows.
        written: What the pins or the registry say.
        evidence: The judge's e-value, while a rollout runs.
        hold: Why the judge lets it go no further at present.
        now: Seconds since the epoch.
    """
    act = acts.act(state, written, now)
    return {
        "model": state.model,
        "situation": act.situation,
        "stable": state.seen.live_version,
        "stable_release": state.release(state.seen.live_version),
        "candidate": state.candidate,
        "candidate_release": state.release(state.candidate),
        "phase": state.seen.phase,
        "weight": state.weight,
        "failed_checks": int(state.status.get("failedChecks") or 0),
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


def _hold(environment: Environment, model: str) -> str:
    said = ask_judge(judge_of(environment), "verdict", namespace=environment.namespace, model=model)
    return str(said.get("reason") or "") if isinstance(said, dict) else ""
