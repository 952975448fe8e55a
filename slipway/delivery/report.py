"""The report of rollouts: one self-contained HTML file, and the same content as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.delivery import drawings, readings
from slipway.delivery.record import Measured, RolloutRecord
from slipway.rollout.policy import LIMIT, Policy

TEMPLATE = Path(__file__).with_name("report.html")
#: Kinds of decisions in words.
KINDS = {
    "started": "started",
    "advanced": "advanced",
    "held": "held",
    "halted": "halted",
    "promoted": "promoted",
    "rolled-back": "rolled back",
    "aborted": "aborted",
}


@dataclass(frozen=True)
class Written:
    """Paths of a written report."""

    html: Path
    json: Path


def write(records: Sequence[RolloutRecord], directory: Path, name: str, generated: str) -> Written:
    """Write a report as `<name>.html` and `<name>.json`; make the directory if necessary.

    Args:
        records: The rollouts, in the order of the page.
        directory: The directory of both files.
        name: Name of both files, without a suffix.
        generated: Time of the report, ISO 8601 in UTC.
    """
    directory.mkdir(parents=True, exist_ok=True)
    written = Written(directory / f"{name}.html", directory / f"{name}.json")
    written.json.write_text(as_json(records, generated))
    written.html.write_text(as_html(records, generated))
    return written


def as_json(records: Sequence[RolloutRecord], generated: str) -> str:
    """Return the records as JSON, with their totals and rates."""
    rollouts = [{**record.model_dump(mode="json"), "totals": _totals(record)} for record in records]
    return json.dumps({"generated": generated, "rollouts": rollouts}, indent=2, ensure_ascii=False) + "\n"


def read(path: Path) -> tuple[RolloutRecord, ...]:
    """Read the records from a report's JSON."""
    rollouts = json.loads(path.read_text())["rollouts"]
    return tuple(
        RolloutRecord.model_validate_json(json.dumps({key: each[key] for key in each if key != "totals"}))
        for each in rollouts
    )


def as_html(records: Sequence[RolloutRecord], generated: str) -> str:
    """Return the page, which loads no script, font or picture."""
    # Imported late, because only reports need it.
    from jinja2 import Environment, StrictUndefined

    page = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    page.filters.update(
        percent=readings.percent, ms=readings.milliseconds, clock=readings.clock, evidence=_evidence, moment=_moment
    )
    template = page.from_string(TEMPLATE.read_text())
    return template.render(
        rollouts=[_shown(record) for record in records],
        generated=generated,
        environments=", ".join(dict.fromkeys(record.environment for record in records)),
        limit=LIMIT,
        geometry={
            "width": drawings.WIDTH,
            "left": drawings.LEFT,
            "right": drawings.WIDTH - drawings.RIGHT,
            "top": drawings.TOP,
        },
        panel_height=drawings.PANEL,
    )


def _shown(record: RolloutRecord) -> dict[str, Any]:
    """Return the template's values for one rollout."""
    policy = Policy.parse(record.policy) if record.policy else None
    known = [point.evidence for point in record.points if point.evidence is not None]
    kinds = [decision.kind for decision in record.decisions]
    return {
        "record": record,
        "outcome": readings.OUTCOMES[record.outcome],
        "why": readings.why(record),
        "duration": readings.duration(record),
        "primary": readings.total(record, "primary"),
        "canary": readings.total(record, "canary"),
        "highest": max(known, default=None),
        "charts": drawings.charts(record),
        "objectives": _objectives(policy) if policy else (),
        "decisions": [
            (number, readings.clock(readings.seconds(record, decision.at)), KINDS[decision.kind], decision)
            for number, decision in enumerate(record.decisions, 1)
        ],
        "points": [(readings.clock(readings.seconds(record, point.at)), point) for point in record.points],
        "checks": ", ".join(f"{kinds.count(kind)} {said}" for kind, said in KINDS.items() if kind in kinds),
    }


def _objectives(policy: Policy) -> tuple[str, ...]:
    """Describe the objectives of the candidate."""
    said = [f"at least {policy.success_rate_percent:g} % of requests answered"]
    said.append(f"95 % of requests within {policy.latency_p95_ms:g} ms")
    if policy.latency_p99_ms is not None:
        said.append(f"99 % within {policy.latency_p99_ms:g} ms")
    if policy.correct_percent is not None:
        said.append(f"at least {policy.correct_percent:g} % of labelled predictions right")
    said.append(f"at least {policy.min_requests} requests at each weight")
    if policy.min_labels:
        said.append(f"at least {policy.min_labels} labels before promotion")
    return tuple(said)


def _totals(record: RolloutRecord) -> dict[str, Any]:
    def side(measured: Measured) -> dict[str, Any]:
        counts = measured.model_dump(include={"requests", "failed", "labelled", "right"})
        return {**counts, "success_percent": measured.success_percent, "correct_percent": measured.correct_percent}

    return {"primary": side(readings.total(record, "primary")), "canary": side(readings.total(record, "canary"))}


def _evidence(value: float | None) -> str:
    return "-" if value is None else f"{value:,.2f}" if value < 1000 else f"{value:.1e}"


def _moment(value: str) -> str:
    """Write a moment as `2026-11-21 16:30:05 UTC`."""
    return value.replace("T", " ").replace("Z", " UTC")
