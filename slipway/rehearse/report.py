"""A rehearsal as Markdown for a pull request: the verdict, then the facts that a reviewer needs."""

from __future__ import annotations

from collections.abc import Iterator

from slipway.delivery import readings
from slipway.delivery.record import Measured
from slipway.planning.timeline import Step, Timeline
from slipway.rehearse.exposure import PLAYED, Exposure
from slipway.rehearse.result import Rehearsal, lab_verdict
from slipway.rollout.policy import Policy

_HEADINGS = {
    "promoted": "✅ would be promoted in",
    "rolled-back": "❌ would be rolled back in",
    "refused": "⛔ cannot be released in",
}
#: Registry metrics to show; the JSON has all.
SHOWN_METRICS = 4


def markdown(found: Rehearsal) -> str:
    """Return the comment."""
    lines = [
        f"### `{found.model}` v{found.stable_version} → v{found.candidate_version}"
        f" {_HEADINGS[found.verdict]} {found.environment}",
        "",
        *_why(found),
        "",
        *_compared(found),
        *_timeline(found.prediction.timeline, found.prediction.policy),
        *_exposed(found),
        *_small_print(found),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _why(found: Rehearsal) -> Iterator[str]:
    yield found.reason
    more = [line for line in (*found.prediction.refusals, *found.failed_gates) if not found.reason.endswith(line)]
    if found.changed_inputs:
        more.append(f"**The inputs differ**, so users must send other requests: {'; '.join(found.changed_inputs)}.")
    if found.record and found.verdict == "refused":
        more.append(f"In the lab it {lab_verdict(found.model, found.record)}.")
    if more:
        yield ""
        yield from (f"- {line}" for line in more)


def _compared(found: Rehearsal) -> Iterator[str]:
    record, same = found.record, found.comparison
    rows: list[tuple[str, ...]] = []
    if record:
        sides = readings.total(record, "primary"), readings.total(record, "canary")
        rows += [
            ("requests in the lab", *(f"{side.requests:,}" for side in sides)),
            ("failed", *map(_failed, sides)),
            ("p95 latency", *(_ms(side.latency_p95_ms) for side in sides)),
        ]
        if any(side.labelled for side in sides):
            rows.append(("right answers", *map(_right, sides)))
    if same and same.labelled:
        rows.append((f"right on the same {same.labelled} requests", str(same.stable_right), str(same.candidate_right)))
    rows += [
        (f"{each.name} in the registry", _number(each.stable), _number(each.candidate))
        for each in found.metrics[:SHOWN_METRICS]
    ]
    if not rows:
        return
    yield f"| | stable v{found.stable_version} | candidate v{found.candidate_version} |"
    yield "|---|---:|---:|"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
    if same and same.requests:
        how = "otherwise" if same.within is None else f"more than {same.within:g} away from the stable version"
        mended = (
            f" Of those with a known truth it fixes {same.mended} and breaks {same.broken}." if same.labelled else ""
        )
        yield f"Asked the same {same.requests} requests, the candidate answers {same.differ} of them {how}.{mended}"
        yield ""


def _timeline(timeline: Timeline | None, policy: str) -> Iterator[str]:
    if timeline is None:
        return
    yield (
        f"**What {timeline.environment} would do** at {timeline.requests_per_second:g} requests a second,"
        f" with a look every {span(timeline.interval_seconds)}:"
    )
    yield ""
    if timeline.steps:
        yield "| step | the candidate answers | for | ends |"
        yield "|---:|---:|---:|---|"
        at = timeline.first_request_seconds
        for step in timeline.steps:
            at += step.seconds
            ends = f"{span(at)} after `up`{_held(step)}"
            yield f"| {_step(step)} | {step.requests:,.0f} requests | {span(step.seconds)} | {ends} |"
        yield ""
    seen = f", after {timeline.requests:,.0f} requests of users" if timeline.steps else ", unseen by any analysis"
    yield f"Promoted about **{span(timeline.promoted_seconds)}** after `up`{seen}.{_labels(timeline, policy)}"
    yield ""


def _exposed(found: Rehearsal) -> Iterator[str]:
    exposures, timeline = found.prediction.exposures, found.prediction.timeline
    if not exposures or timeline is None:
        return
    factors = sorted({each.factor for each in exposures if each.factor > 1})
    yield "**If it were worse there**, it would be taken back after so many users' requests:"
    yield ""
    yield f"| worse than the stable version | {' | '.join(f'{factor:g} times' for factor in factors)} |"
    yield "|---|" + "---|" * len(factors)
    policy = Policy.parse(found.prediction.policy)
    for signal in dict.fromkeys(each.signal for each in exposures):
        row = {each.factor: each for each in exposures if each.signal == signal}
        allowed = f"{next(iter(row.values())).allowed_percent:g} % allowed"
        yield f"| {_signal(signal, policy)} ({allowed}) | {' | '.join(_found(row.get(factor)) for factor in factors)} |"
    yield ""
    alarms = max((each.found_percent for each in exposures if each.factor == 1), default=0.0)
    how = "the judge" if timeline.judged else "plain thresholds"
    yield (
        f"<sub>{PLAYED} seeded rollouts on paper for each entry, decided by {how}; the stable version at its limit. A"
        f" candidate that is as good is taken back by mistake in {alarms:g} % of them.</sub>"
    )
    yield ""


def _small_print(found: Rehearsal) -> Iterator[str]:
    record = found.record
    if record:
        rate, weights = found.lab_requests_per_second or 0, ", ".join(map(str, record.steps))
        how = f"steps ({weights} %)" if weights else f"strategy ({record.strategy})"
        yield (
            f"<sub>Played in the lab by Flagger with {found.environment}'s own {how}, its objectives,"
            f" a look every {record.interval_seconds} s, {rate:g} requests a second."
            + "".join(f" Not shown: {line}." for line in found.not_rehearsed)
            + f" Releases {found.stable_release}, {found.candidate_release}.</sub>"
        )


def span(seconds: float) -> str:
    """Return a duration in a readable unit."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{round(seconds / 60, 1):g} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def _step(step: Step) -> str:
    return f"{step.weight} %" if step.shown else f"{step.weight} % mirrored" if step.weight else "none yet"


def _held(step: Step) -> str:
    if step.held_by == "requests":
        return f", held for {step.min_requests} requests"
    return ", its pause" if step.held_by == "pause" else ""


def _labels(timeline: Timeline, policy: str) -> str:
    wanted = Policy.parse(policy).min_labels
    if not wanted or not timeline.requests:
        return ""
    share = 100 * wanted / timeline.requests
    return f" It waits there until {wanted} of these answers have a label" + (
        f" ({share:.0f} % of them)." if share <= 100 else "."
    )


def _signal(signal: str, policy: Policy) -> str:
    return {
        "errors": "fails",
        "slow-p95": f"slower than {policy.latency_p95_ms:g} ms",
        "slow-p99": f"slower than {policy.latency_p99_ms or 0:g} ms",
        "wrong": "wrong, once labelled",
    }.get(signal, signal)


def _found(exposure: Exposure | None) -> str:
    if exposure is None:
        return "-"
    if exposure.middle is None:
        return f"promoted in {100 - exposure.found_percent:.0f} %"
    missed = f", promoted in {100 - exposure.found_percent:.0f} %" if exposure.found_percent < 99.5 else ""
    return f"{exposure.middle.requests:,} ({span(exposure.middle.seconds)}{missed})"


def _failed(side: Measured) -> str:
    if not side.requests:
        return "-"
    return f"{side.failed:,} ({100 * side.failed / side.requests:.3g} %)" if side.failed else "0"


def _right(side: Measured) -> str:
    return f"{side.correct_percent:.1f} % of {side.labelled:,}" if side.correct_percent is not None else "-"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
