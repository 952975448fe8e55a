"""The incident of a rejected release: changes, exposure, measurements and timeline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from slipway import documents
from slipway.delivery import readings
from slipway.delivery.record import RolloutRecord
from slipway.documents import Frozen
from slipway.models.release import Release
from slipway.rollout.policy import LIMIT


class Change(Frozen):
    """A difference between the rejected release and the serving one."""

    what: str
    before: str
    after: str


class Incident(Frozen):
    """Incident of one rejected release."""

    written_by_slipway: ClassVar[bool] = True

    environment: str
    model: str
    #: ISO 8601 in UTC.
    at: str
    who: str
    reason: str
    rejected: str
    #: The release that serves instead, or is to.
    serves: str
    #: Whether the rejected release still served users when the incident was written.
    promoted: bool = False
    changes: tuple[Change, ...] = ()
    #: None if its rollout could not be read.
    rollout: RolloutRecord | None = None


def changes(before: Release | None, after: Release | None) -> tuple[Change, ...]:
    """Return the differences of two releases in code, data, bytes and recorded metrics."""
    if before is None or after is None:
        return ()
    pairs = [
        ("git commit", before.git_commit, after.git_commit),
        ("training run", before.registry.run_id, after.registry.run_id),
        ("dataset", f"{before.dataset.name} {before.dataset.digest}", f"{after.dataset.name} {after.dataset.digest}"),
        ("artifact", before.artifact.digest, after.artifact.digest),
        ("inputs", _columns(before.signature.inputs), _columns(after.signature.inputs)),
        ("outputs", _columns(before.signature.outputs), _columns(after.signature.outputs)),
    ]
    for metric in sorted({*before.metrics, *after.metrics}):
        old, new = before.metrics.get(metric), after.metrics.get(metric)
        pairs.append((metric, "-" if old is None else f"{old:.4g}", "-" if new is None else f"{new:.4g}"))
    return tuple(Change(what=what, before=old, after=new) for what, old, new in pairs if old != new)


def write(directory: Path, incident: Incident) -> Path:
    """Write an incident as Markdown and JSON, unless the files exist; return the Markdown's path.

    A release is rejected once in an environment, so the files are named after the release.
    """
    stem = f"{incident.model}-{incident.rejected}"
    data, text = directory / f"{stem}.json", directory / f"{stem}.md"
    if not data.is_file():
        documents.write_text(data, incident.model_dump_json(indent=2) + "\n")
    if not text.is_file():
        # From the JSON on disk, so that both files agree also after a crash between the two writes.
        stored = Incident.model_validate_json(data.read_text())
        documents.write_text(text, markdown(stored))
    return text


def reason_of(data: Path) -> str:
    """Return the reason in an incident; empty if the file does not exist."""
    return Incident.model_validate_json(data.read_text()).reason if data.is_file() else ""


def markdown(incident: Incident) -> str:
    """Return an incident as Markdown."""
    return "\n".join(_lines(incident)) + "\n"


def _lines(incident: Incident) -> Iterator[str]:
    yield f"# {incident.environment}: {incident.model}: {incident.rejected} was rejected"
    yield ""
    yield f"{incident.reason.rstrip('.')}."
    back = incident.serves or "what served before"
    state = f"It serves until a rollout has brought {back} back" if incident.promoted else f"Users are served by {back}"
    yield f"{state}. Recorded at {incident.at} by {incident.who}."
    yield from _exposure(incident.rollout)
    if incident.promoted:
        since = f" at {incident.rollout.ended}" if incident.rollout and incident.rollout.ended else ""
        yield f"It was promoted{since}: all users have been answered by it since."
    changed = [(each.what, each.before, each.after) for each in incident.changes]
    yield from _table("What changed", ("", incident.serves, incident.rejected), changed)
    if incident.rollout is not None:
        decided = [(each.at, f"{each.weight}%", each.kind, each.reason) for each in incident.rollout.decisions]
        yield from _table("What was measured", ("", "users", "candidate"), _measured(incident.rollout))
        yield from _table("Timeline", ("at", "weight", "what", "why"), decided)


def _exposure(rollout: RolloutRecord | None) -> Iterator[str]:
    yield from ("", "## Who was exposed", "")
    if rollout is None:
        yield "Unknown: its rollout could not be read any more."
    elif not rollout.points:
        yield "Unknown: Prometheus could not be asked."
    else:
        exposure = rollout.exposure
        yield (
            f"{exposure.requests} requests within {exposure.seconds:.0f} s were answered by the candidate,"
            f" {exposure.failed} of them failed. The rollout ran from {rollout.started}"
            f" to {rollout.ended or 'now'}, to {max(each.weight for each in rollout.points)}% of the traffic at most."
        )


def _measured(rollout: RolloutRecord) -> list[tuple[str, ...]]:
    users, candidate = readings.total(rollout, "primary"), readings.total(rollout, "canary")
    worst = [_worst(rollout, side) for side in ("primary", "canary")]
    evidence = max((each.evidence for each in rollout.points if each.evidence is not None), default=None)
    return [
        ("requests", str(users.requests), str(candidate.requests)),
        ("answered with 2xx", *(readings.percent(side.success_percent) for side in (users, candidate))),
        ("worst p95 of an interval", *("-" if value is None else f"{value:g} ms" for value in worst)),
        ("labelled predictions", str(users.labelled), str(candidate.labelled)),
        ("of these right", *(readings.percent(side.correct_percent) for side in (users, candidate))),
        ("evidence against it, at most", "", "-" if evidence is None else f"{evidence:.3g} (limit {LIMIT:g})"),
    ]


def _worst(rollout: RolloutRecord, side: str) -> float | None:
    found = [getattr(point, side).latency_p95_ms for point in rollout.points]
    return max((value for value in found if value is not None), default=None)


def _table(title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    if not rows:
        return
    yield from ("", f"## {title}", "")
    for row in (heads, tuple("---" for _ in heads), *rows):
        yield f"| {' | '.join(cell.replace('|', '/') for cell in row)} |"


def _columns(columns: tuple[object, ...]) -> str:
    return ", ".join(f"{getattr(each, 'name', '')} {getattr(each, 'type', '')}".strip() for each in columns)
