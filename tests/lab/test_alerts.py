"""Every alert fires where it should, and is silent where all is well: by Prometheus' own promtool."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import a_spec
from prometheus_client import CollectorRegistry, generate_latest

from slipway.judge.delivery import DeliveryCollector
from slipway.judge.ledger import Entry, Ledger, stamp
from slipway.models.spec import AtLeast
from slipway.platform.alerts import ALERTS, Alert
from slipway.platform.dashboards import DASHBOARDS
from slipway.platform.rules import RECORDED, rules
from slipway.platform.tiers import tier
from slipway.tools import toolchain

_SPEC = a_spec("churn")
CHURN = _SPEC.model_copy(
    update={"objectives": _SPEC.objectives.model_copy(update={"correct_percent": AtLeast(at_least=85)})}
)
OF = 'namespace="models",model="churn",version="3"'
POD = 'pod="churn-v3-predictor-abc"'
CONTAINER = f'namespace="models",{POD},container="kserve-container"'
GPU = 'gpu="0",Hostname="node-1"'
PREDICTOR = 'namespace="models",deployment="churn-v3-predictor"'

Series = dict[str, str]


@dataclass(frozen=True)
class Case:
    """What Prometheus sees, minute by minute.

    Args:
        bad: Series in which the alert fires.
        good: Those in which it must not.
        at: The minute at which both are looked at.
        says: Its summary.
        labels: What it names, besides its severity.
    """

    bad: Series
    good: Series
    at: int
    says: str
    labels: dict[str, str] = field(default_factory=lambda: {"namespace": "models", "model": "churn"})


def asked(good: int, failed: int = 0) -> Series:
    """Requests a minute; both Services of the pair select the pod, as outside of a rollout."""
    counts = {"200": good, "500": failed}
    return {
        f'rest_server_requests_total{{job="models",namespace="models",service="churn-{side}",inferenceservice="churn-v3",'
        f'{POD},path="/v2/models/churn/infer",status_code="{code}"}}': f"0+{count}x400"
        for side in ("primary", "canary")
        for code, count in counts.items()
    }


def within(fast: int, every: int) -> Series:
    """Answers a minute within 250 ms, within 500 ms."""
    series = 'rest_server_request_duration_seconds_bucket{job="models",namespace="models",service="churn-primary"'
    series += f',inferenceservice="churn-v3",{POD},path="/v2/models/churn/infer"'
    counts = {"0.25": fast, "0.5": every, "+Inf": every}
    return {f'{series},le="{edge}"}}': f"0+{count}x400" for edge, count in counts.items()}


def down(job: str, says: str) -> Case:
    return Case({f'up{{job="{job}"}}': "1x5 0x95"}, {f'up{{job="{job}"}}': "1x100"}, 20, says, {})


def primary(values: str) -> Series:
    return {'up{job="models",namespace="models",service="churn-primary",pod="one"}': values}


QUIET = 'rest_server_requests_total{job="models",namespace="models",service="churn-primary",inferenceservice="churn-v3"'
QUIET += f',{POD},path="/v2/models/churn/infer",status_code="200"}}'
VERSION = {"namespace": "models", "model": "churn", "version": "3"}
OWNED = {"namespace": "models", "model": "churn", "owner": CHURN.owner}

CASES = {
    "ModelDown": Case(
        primary("1x10 0x30"),
        primary("1x40"),
        15,
        "churn: no server has answered for two minutes, so users get errors",
    ),
    "ModelFailing": Case(asked(60, 30), asked(60, 10), 15, "churn: 33.33% of the requests fail"),
    "ModelErrors": Case(
        asked(990, 10), asked(996, 4), 20, "churn: 1% of the requests fail, more than its objective allows", OWNED
    ),
    "ModelSlow": Case(
        {**asked(100), **within(90, 100)},
        {**asked(100), **within(96, 100)},
        20,
        "churn: 95 % of the answers take up to 375ms, more than its objective allows",
        OWNED,
    ),
    "ModelWrong": Case(
        {f"slipway_quality_ratio{{{OF}}}": "0.8x40"},
        {f"slipway_quality_ratio{{{OF}}}": "0.9x40"},
        20,
        "churn v3: 80% of the labelled answers are right, fewer than its objective asks for",
        VERSION | {"owner": CHURN.owner},
    ),
    "ModelUnasked": Case(
        {QUIET: "0+10x30 300x90"},
        # A model that is hardly ever asked.
        {QUIET: "0+0.1x30 3x90"},
        110,
        "churn: no request for an hour, on a day with more than a thousand",
    ),
    "ModelReplicasMissing": Case(
        {
            f"kube_deployment_status_replicas_available{{{PREDICTOR}}}": "1x30",
            f"kube_deployment_spec_replicas{{{PREDICTOR}}}": "3x30",
        },
        {
            f"kube_deployment_status_replicas_available{{{PREDICTOR}}}": "3x30",
            f"kube_deployment_spec_replicas{{{PREDICTOR}}}": "3x30",
        },
        20,
        "churn-v3-predictor: fewer replicas are available than wanted, only 1",
        {"namespace": "models", "model": "churn", "deployment": "churn-v3-predictor"},
    ),
    "ModelRestarts": Case(
        {f"kube_pod_container_status_restarts_total{{{CONTAINER}}}": "0+1x60"},
        {f"kube_pod_container_status_restarts_total{{{CONTAINER}}}": "1x60"},
        40,
        "churn-v3-predictor-abc: kserve-container restarted 30 times in half an hour",
        {"namespace": "models", "model": "churn", "pod": "churn-v3-predictor-abc", "container": "kserve-container"},
    ),
    "GpuMemoryFull": Case(
        {f"DCGM_FI_DEV_FB_USED{{{GPU}}}": "97x30", f"DCGM_FI_DEV_FB_FREE{{{GPU}}}": "3x30"},
        {f"DCGM_FI_DEV_FB_USED{{{GPU}}}": "90x30", f"DCGM_FI_DEV_FB_FREE{{{GPU}}}": "10x30"},
        20,
        "GPU 0 of node-1: 97% of its memory is used",
        {"gpu": "0", "Hostname": "node-1"},
    ),
    "InputsDrifted": Case(
        {f'slipway_features_drifted_ratio{{{OF},against="reference"}}': "0.6x60"},
        # What differs from the other version at the same time is no news of the world.
        {f'slipway_features_drifted_ratio{{{OF},against="2"}}': "0.6x60"},
        40,
        "churn v3: 60% of its columns have drifted",
        VERSION | {"against": "reference"},
    ),
    "ModelUnsure": Case(
        {f"slipway_confidence_mean{{{OF}}}": "0.6x60"},
        {f"slipway_confidence_mean{{{OF}}}": "0.8x60"},
        40,
        "churn v3: its mean confidence is 60%",
        VERSION,
    ),
    "ModelStale": Case(
        # Time begins at 0 here: so long before it.
        {'slipway_promoted_timestamp_seconds{namespace="models",model="churn"}': f"-{100 * 86400}x90"},
        {'slipway_promoted_timestamp_seconds{namespace="models",model="churn"}': "0x90"},
        80,
        "churn: users have had the same version for 100d 1h 20m 0s",
    ),
    "GpuIdle": Case(
        {f"DCGM_FI_DEV_GPU_UTIL{{{GPU}}}": "2x90"},
        {f"DCGM_FI_DEV_GPU_UTIL{{{GPU}}}": "40x90"},
        80,
        "GPU 0 of node-1: used for 2 % in the last six hours",
        {"gpu": "0", "Hostname": "node-1"},
    ),
    "GatewayDown": down("gateway", "the gateway does not answer, so no model can be reached"),
    "JudgeDown": down("judge", "the judge does not answer: rollouts stand still, and are then taken back"),
    "FlaggerDown": down("flagger", "Flagger does not answer: no rollout moves, and traffic stays as it is"),
    "ObserveDown": down(
        "observe", "observe does not answer: quality is unknown, rollouts that need labels stand still"
    ),
    "RolloutRolledBack": Case(
        {'slipway_rollouts_total{namespace="models",model="churn",outcome="rolled-back"}': "0x10 1x20"},
        {'slipway_rollouts_total{namespace="models",model="churn",outcome="promoted"}': "0x10 1x20"},
        12,
        "churn: a candidate was taken back; users have the version from before",
        {"namespace": "models", "model": "churn", "outcome": "rolled-back"},
    ),
    "RolloutStuck": Case(
        {'flagger_canary_status{name="churn",namespace="models"}': "0x200"},
        {'flagger_canary_status{name="churn",namespace="models"}': "0x100 1x100"},
        190,
        "churn: its rollout has gone on for three hours",
        {"namespace": "models", "model": "churn", "name": "churn"},
    ),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the rule file."""
    directory = tmp_path_factory.mktemp("rules")
    (directory / "rules.yaml").write_text(yaml.safe_dump(rules((CHURN,), "page"), sort_keys=False))
    return directory


def promtool(files: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    binary = toolchain.binary("promtool")
    return subprocess.run([str(binary), *arguments], cwd=files, capture_output=True, text=True)


def test_prometheus_takes_the_rules(files: Path) -> None:
    done = promtool(files, "check", "rules", "rules.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_fires_and_says_so_in_words(files: Path) -> None:
    hold(files, {alert: (CASES[alert.name].bad, [told(alert)]) for alert in ALERTS})


def test_every_alert_is_silent_where_all_is_well(files: Path) -> None:
    hold(files, {alert: (CASES[alert.name].good, []) for alert in ALERTS})


def told(alert: Alert) -> dict[str, Any]:
    """The alert as Alertmanager gets it."""
    case, severity = CASES[alert.name], {"severity": alert.severity, "impact": alert.impact}
    labels = {**case.labels, **severity, "tier": tier(alert.severity, alert.impact)}
    then = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: case.labels[found[1]], alert.then)
    return {"exp_labels": labels, "exp_annotations": {"summary": case.says, "then": then}}


def hold(files: Path, expected: dict[Alert, tuple[Series, list[dict[str, Any]]]]) -> None:
    """Let promtool tell whether exactly these alerts fire, each in a world of its own."""
    tests = [
        {
            "name": alert.name,
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "alert_rule_test": [
                {"eval_time": f"{CASES[alert.name].at}m", "alertname": alert.name, "exp_alerts": alerts}
            ],
        }
        for alert, (series, alerts) in expected.items()
    ]
    content = {"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}
    (files / "tests.yaml").write_text(json.dumps(content))
    done = promtool(files, "test", "rules", "tests.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_measures_of_delivery_are_what_the_ledger_counted(files: Path) -> None:
    """Fourteen promotions of 60 s each, a rollback 15 s after its first failed check, an abort."""
    promoted = [(0, "started"), (60, "promoted")]
    ends = [*[promoted] * 14, [(0, "started"), (5, "halted"), (20, "rolled-back")], [(0, "started"), (9, "aborted")]]
    ledger, registry = Ledger(files / "ledger.jsonl"), CollectorRegistry()
    for number, rollout in enumerate(ends):
        for at, kind in rollout:
            ledger.add(Entry(stamp(1000 * number + at), "models", "churn", kind, kind))
    registry.register(DeliveryCollector(ledger))
    counted = re.findall(r"^(slipway_\S+) (\S+)$", generate_latest(registry).decode(), re.MULTILINE)
    ledger.close()
    # All of it happens in the middle of four weeks, of which Prometheus has a sample an hour.
    series = [{"series": name, "values": f"0x335 {float(value)}x336"} for name, value in counted]
    measured = {"deployments_per_day": 14 / 28, "lead_time_seconds": 60, "change_failure_ratio": 2 / 16}
    measured |= {"recovery_seconds": 15 / 2, "automation_ratio": 31 / 32}
    asked_for = [
        {"expr": RECORDED[f"slipway:{name}"], "eval_time": "28d", "exp_samples": [{"labels": "{}", "value": value}]}
        for name, value in measured.items()
    ]
    test = {"interval": "1h", "input_series": series, "promql_expr_test": asked_for}
    (files / "delivery.yaml").write_text(json.dumps({"rule_files": [], "evaluation_interval": "1h", "tests": [test]}))
    done = promtool(files, "test", "rules", "delivery.yaml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_takes_every_query_of_the_dashboards(files: Path) -> None:
    queries = [query for board in DASHBOARDS for panel in board.panels for query in panel.queries.values()]
    made = [
        {"record": f"asked:{number}".replace(":", "_"), "expr": query.replace("$model", "churn")}
        for number, query in enumerate(queries)
    ]
    (files / "dashboards.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboards", "rules": made}]}))
    done = promtool(files, "check", "rules", "dashboards.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(queries)} rules found" in done.stdout


def test_every_series_of_ours_that_is_asked_for_is_recorded(files: Path) -> None:
    written = [query for board in DASHBOARDS for panel in board.panels for query in panel.queries.values()]
    written += [alert.query for alert in ALERTS]
    asked_for = {name for query in written for name in re.findall(r"slipway:\w+(?::\w+)?", query)}
    objectives = {f"slipway:objective_{what}" for what in ("error_ratio", "latency_p95_seconds", "correct_ratio")}
    assert asked_for <= {*RECORDED, *objectives}
