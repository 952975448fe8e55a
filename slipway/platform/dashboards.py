"""Dashboard definitions, compiled to Grafana's JSON."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.objects import Object
from slipway.platform.alerts import DRIFTED, FAILING, GPU_MEMORY, UNSURE
from slipway.series import ASKED, EVIDENCE, LABELLED, LATENCY, REQUESTS, RIGHT, ROLLOUTS

DATASOURCE = {"type": "prometheus", "uid": "prometheus"}
#: Grafana's grid is 24 wide; a row has three graphs.
_WIDTH, _HEIGHT = 8, 8
#: Version of the JSON schema; Grafana migrates older ones.
_SCHEMA = 41


@dataclass(frozen=True)
class Panel:
    """One graph or number.

    Args:
        unit: Grafana's name of the unit: reqps, percentunit, s, short …
        queries: PromQL by legend; `$model` is the chosen model.
        limit: Value from which the panel turns red.
        number: Whether it shows only the present value.
    """

    title: str
    unit: str
    queries: dict[str, str]
    limit: float | None = None
    number: bool = False


@dataclass(frozen=True)
class Dashboard:
    """One dashboard.

    Args:
        uid: Its stable identifier in URLs.
        panels: From left to right, three in a row.
        chosen: Query whose label `model` lists the models to choose from; empty has no choice.
    """

    uid: str
    title: str
    panels: tuple[Panel, ...]
    chosen: str = ""


def number(title: str, unit: str, query: str) -> Panel:
    """Return a panel of one number."""
    return Panel(title, unit, {"": query}, number=True)


_P = "histogram_quantile({q}, sum by ({by}, le) (slipway:latency_seconds_bucket:rate5m{where}))"
_SIDE = 'namespace=~".+",service=~"$model-(primary|canary)",' + ASKED
_OF = '{model="$model"}'
_BY_SIDE = f"sum by (service) (rate({REQUESTS}{{"

FLEET = Dashboard(
    "slipway-fleet",
    "Fleet: is everybody served?",
    (
        number("Models asked now", "short", "count(slipway:model_requests:rate5m > 0)"),
        number("Requests", "reqps", "sum(slipway:model_requests:rate5m)"),
        number("Alerts that hold", "short", 'count(ALERTS{alertstate="firing"}) or vector(0)'),
        Panel("Requests by model", "reqps", {"{{model}}": "slipway:model_requests:rate5m"}),
        Panel(
            "Failed by model",
            "percentunit",
            {"{{model}}": "slipway:model_failures:rate5m / slipway:model_requests:rate5m"},
            FAILING,
        ),
        Panel("95 % of the answers within", "s", {"{{model}}": _P.format(q=0.95, by="model", where="")}),
        Panel("Right answers", "percentunit", {"{{model}} v{{version}}": "slipway_quality_ratio"}),
        Panel(
            "Drifted columns",
            "percentunit",
            {"{{model}} v{{version}}": 'slipway_features_drifted_ratio{against="reference"}'},
            DRIFTED,
        ),
        Panel(
            "Servers that answer", "short", {"{{service}}": 'sum by (service) (up{job="models",service=~".+-primary"})'}
        ),
    ),
)

MODEL = Dashboard(
    "slipway-model",
    "Model: does it keep its promise?",
    (
        Panel(
            "Requests by version",
            "reqps",
            {"{{inferenceservice}}": f"sum by (inferenceservice) (slipway:requests:rate5m{_OF})"},
        ),
        Panel(
            "Failed, with what its objective allows",
            "percentunit",
            {
                "failed": f"slipway:model_failures:rate5m{_OF} / slipway:model_requests:rate5m{_OF}",
                "allowed": f"slipway:objective_error_ratio{_OF}",
            },
        ),
        Panel(
            "Latency, with its objective",
            "s",
            {
                "p50": _P.format(q=0.5, by="model", where=_OF),
                "p95": _P.format(q=0.95, by="model", where=_OF),
                "p99": _P.format(q=0.99, by="model", where=_OF),
                "objective p95": f"slipway:objective_latency_p95_seconds{_OF}",
            },
        ),
        Panel(
            "Right answers, with its objective",
            "percentunit",
            {"v{{version}}": f"slipway_quality_ratio{_OF}", "objective": f"slipway:objective_correct_ratio{_OF}"},
        ),
        Panel("Mean absolute error", "short", {"v{{version}}": f"slipway_mean_absolute_error{_OF}"}),
        Panel("Confidence", "percentunit", {"v{{version}}": f"slipway_confidence_mean{_OF}"}, UNSURE),
        Panel(
            "Distance of each column from the first 300 rows",
            "percentunit",
            {"v{{version}} {{feature}}": 'slipway_feature_drift{model="$model",against="reference"}'},
        ),
        Panel("From prediction to label", "s", {"v{{version}}": f"slipway_label_delay_seconds{_OF}"}),
        Panel(
            "Replicas",
            "short",
            {
                "{{deployment}}": 'kube_deployment_status_replicas_available{deployment=~"$model-v[0-9]+-predictor"}',
                "{{deployment}} wanted": 'kube_deployment_spec_replicas{deployment=~"$model-v[0-9]+-predictor"}',
            },
        ),
    ),
    chosen="slipway:objective_error_ratio",
)

ROLLOUT = Dashboard(
    "slipway-rollout",
    "Rollout: is the candidate worse?",
    (
        Panel("Traffic of the candidate, %", "percent", {"candidate": 'flagger_canary_weight{workload="$model"}'}),
        Panel("Evidence against it (20 takes it back)", "short", {"evidence": f"{EVIDENCE}{_OF}"}, 20),
        Panel(
            "State (0 under way, 1 promoted, 2 taken back)", "short", {"state": 'flagger_canary_status{name="$model"}'}
        ),
        Panel("Requests of both sides", "reqps", {"{{service}}": f"{_BY_SIDE}{_SIDE}}}[1m]))"}),
        Panel(
            "Failed on both sides",
            "percentunit",
            {
                "{{service}}": f'({_BY_SIDE}{_SIDE},status_code!~"2.."}}[1m])) or 0 * {_BY_SIDE}{_SIDE}}}[1m])))'
                f" / {_BY_SIDE}{_SIDE}}}[1m]))"
            },
        ),
        Panel(
            "95 % of the answers of both sides within",
            "s",
            {"{{service}}": f"histogram_quantile(0.95, sum by (service, le) (rate({LATENCY}{{{_SIDE}}}[1m])))"},
        ),
        Panel("Labelled answers", "short", {"v{{version}}": f"{LABELLED}{_OF}"}),
        Panel("Right answers", "short", {"v{{version}}": f"{RIGHT}{_OF}"}),
        Panel(
            "What the judge answers",
            "short",
            {"{{question}} {{answer}}": "sum by (question, answer) (increase(slipway_judge_answers_total[5m]))"},
        ),
    ),
    chosen="slipway:objective_error_ratio",
)

GPU = Dashboard(
    "slipway-gpu",
    "GPU: are they worth their price?",
    (
        Panel("Used", "percent", {"{{Hostname}} {{gpu}}": "DCGM_FI_DEV_GPU_UTIL"}),
        Panel("Memory", "percentunit", {"{{Hostname}} {{gpu}}": GPU_MEMORY}, 0.95),
        Panel("Temperature", "celsius", {"{{Hostname}} {{gpu}}": "DCGM_FI_DEV_GPU_TEMP"}),
        Panel("Power", "watt", {"{{Hostname}} {{gpu}}": "DCGM_FI_DEV_POWER_USAGE"}),
        Panel("Faults (XID)", "short", {"{{Hostname}} {{gpu}}": "DCGM_FI_DEV_XID_ERRORS"}),
        number("Idle GPUs, over six hours", "short", "count(avg_over_time(DCGM_FI_DEV_GPU_UTIL[6h]) < 5) or vector(0)"),
    ),
)

DELIVERY = Dashboard(
    "slipway-delivery",
    "Delivery: how fast, how safe?",
    (
        number("Deployment frequency, a day", "short", "slipway:deployments_per_day"),
        number("Lead time: from start until all have it", "s", "slipway:lead_time_seconds"),
        number("Change failure rate", "percentunit", "slipway:change_failure_ratio"),
        number("Failed-deployment recovery time (MTTR)", "s", "slipway:recovery_seconds"),
        number("Automation rate", "percentunit", "slipway:automation_ratio"),
        number("Oldest model", "s", "max(slipway:model_age_seconds)"),
        Panel("Age of what users have", "s", {"{{model}}": "slipway:model_age_seconds"}),
        Panel("Ends of rollouts, a day", "short", {"{{outcome}}": f"sum by (outcome) (increase({ROLLOUTS}[1d]))"}),
        Panel("Who takes the steps", "short", {"{{by}}": "sum by (by) (increase(slipway_delivery_steps_total[1d]))"}),
    ),
)

DASHBOARDS = (FLEET, MODEL, ROLLOUT, GPU, DELIVERY)


def compile_dashboard(board: Dashboard) -> Object:
    """Return a dashboard as Grafana's JSON."""
    panels = [_panel(index, panel) for index, panel in enumerate(board.panels)]
    return {
        "uid": board.uid,
        "title": board.title,
        "tags": ["slipway"],
        "schemaVersion": _SCHEMA,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_variable(board.chosen)] if board.chosen else []},
        "panels": panels,
    }


def _panel(index: int, panel: Panel) -> Object:
    place = {"x": index % 3 * _WIDTH, "y": index // 3 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
    defaults: Object = {"unit": panel.unit, "min": 0}
    if panel.limit is not None:
        steps = [{"color": "green", "value": None}, {"color": "red", "value": panel.limit}]
        defaults["thresholds"] = {"mode": "absolute", "steps": steps}
        defaults["custom"] = {"thresholdsStyle": {"mode": "line"}}
    return {
        "id": index + 1,
        "type": "stat" if panel.number else "timeseries",
        "title": panel.title,
        "datasource": DATASOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + number), "expr": query, "legendFormat": legend, "datasource": DATASOURCE}
            for number, (legend, query) in enumerate(panel.queries.items())
        ],
    }


def _variable(query: str) -> Object:
    return {
        "name": "model",
        "label": "Model",
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": f"label_values({query}, model)", "refId": "models"},
        "refresh": 2,
        "sort": 1,
    }
