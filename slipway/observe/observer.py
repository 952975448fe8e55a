"""State of the service observe, in bounded memory.

Pure except for the given specs: times are arguments, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from slipway.errors import SlipwayError
from slipway.observe.drift import REFERENCE, Comparison, Drift
from slipway.observe.join import Answer, Join, Joined, Truth, Value
from slipway.observe.messages import Label, Prediction, Stream
from slipway.observe.samples import RECENT_SECONDS, REFERENCE_ROWS, Sample, Samples, matched
from slipway.observe.specs import Specs

#: Versions at once; each has 5 MB of recent inputs at most.
MAX_STREAMS = 128
#: Seconds without a prediction after which a version can be dropped for another one.
IDLE_SECONDS = 3600.0
#: Outcomes and confidences of a version that its gauges use, if they are recent (samples.RECENT_SECONDS).
RECENT_OUTCOMES = 1_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Labelled prediction; `error` is the absolute error of a number, None without `objectives.within`."""

    at: float
    right: bool
    error: float | None
    delay: float


@dataclass
class Watched:
    """State of one version: counts since the start, and recent values."""

    first: float
    last: float
    predictions: int = 0
    labelled: int = 0
    right: int = 0
    #: Predictions that left the window without a label, and those whose label could not be compared with them.
    expired: int = 0
    mismatched: int = 0
    outcomes: deque[Outcome] = field(default_factory=lambda: deque(maxlen=RECENT_OUTCOMES))
    confidences: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=RECENT_OUTCOMES))
    samples: Samples = field(default_factory=Samples)


@dataclass(frozen=True)
class Receipt:
    """Result of a batch."""

    accepted: int
    duplicates: int


@dataclass
class Observer:
    """State of the service, used by one thread."""

    specs: Specs
    join: Join = field(default_factory=Join)
    watched: dict[Stream, Watched] = field(default_factory=dict)
    #: Earliest inputs of a model, by namespace and name; filled once.
    references: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    unmatched_labels: int = 0
    #: Latest measurements; replaced as a whole.
    drifts: Sequence[Drift] = ()

    def predicted(self, predictions: Sequence[Prediction], now: float) -> Receipt:
        """Add a batch of predictions, as a whole or not at all.

        Raises:
            SlipwayError: A model has no spec, or there are too many versions at once.
        """
        for number, prediction in enumerate(predictions):
            try:
                self.specs.check(prediction.model)
            except SlipwayError as error:
                raise SlipwayError(f"predictions[{number}].model: {error}") from None
        self._make_room({each.stream for each in predictions}, now)
        duplicates = 0
        for prediction in predictions:
            if self.join.has_prediction(prediction.id):
                duplicates += 1
                continue
            self._take(prediction, now)
        self._expire(now)
        return Receipt(len(predictions) - duplicates, duplicates)

    def labelled(self, labels: Sequence[Label], now: float) -> Receipt:
        """Add a batch of labels."""
        duplicates = 0
        for label in labels:
            if self.join.has_label(label.id):
                duplicates += 1
            elif joined := self.join.label(label.id, Truth(label.label, now)):
                self._count(joined, now)
        self._expire(now)
        return Receipt(len(labels) - duplicates, duplicates)

    def comparisons(self, now: float) -> list[Comparison]:
        """Return the comparisons for drift: each version against its model's earliest window and a peer."""
        found = []
        recent = {stream: watched.samples.recent(now) for stream, watched in self.watched.items()}
        for stream, samples in recent.items():
            reference = self.references.get(stream[:2], [])
            if len(reference) == REFERENCE_ROWS:
                # Without the reference's own rows, which would hide drift.
                later = [sample.row for sample in samples if sample.slot > reference[-1].slot]
                found.append(Comparison(stream, REFERENCE, later, [sample.row for sample in reference]))
            peers = [
                (other.version, *matched(samples, recent[other]))
                for other in recent
                if other[:2] == stream[:2] and self._age(other) < self._age(stream)
            ]
            if peers:
                version, rows, others = max(peers, key=lambda peer: len(peer[1]))
                found.append(Comparison(stream, version, rows, others))
        return found

    def recent_outcomes(self, stream: Stream, now: float) -> list[Outcome]:
        """Return the predictions of a version with a recent label."""
        return [each for each in self.watched[stream].outcomes if each.at >= now - RECENT_SECONDS]

    def recent_confidences(self, stream: Stream, now: float) -> list[float]:
        """Return the confidences of a version's recent predictions."""
        return [value for at, value in self.watched[stream].confidences if at >= now - RECENT_SECONDS]

    def _age(self, stream: Stream) -> tuple[float, int]:
        """Return the order of versions: by first prediction; after a restart in a rollout both may come at once."""
        return self.watched[stream].first, int(stream.version)

    def _make_room(self, streams: set[Stream], now: float) -> None:
        new = streams - self.watched.keys()
        if not new:
            return
        over = len(self.watched) + len(new) - MAX_STREAMS
        idle = [
            stream
            for stream, watched in self.watched.items()
            if watched.last < now - IDLE_SECONDS and stream not in streams
        ]
        if over > len(idle):
            stream = min(new)
            raise SlipwayError(
                f"predictions: version {stream.version} of {stream.model!r}: expected at most {MAX_STREAMS} versions"
                f" within {IDLE_SECONDS / 60:g} minutes; send fewer, or restart the service"
            )
        for stream in idle[: max(over, 0)]:
            del self.watched[stream]
        live = {stream[:2] for stream in self.watched.keys() | streams}
        self.references = {model: rows for model, rows in self.references.items() if model in live}
        self.watched.update({stream: Watched(first=now, last=now) for stream in new})

    def _take(self, prediction: Prediction, now: float) -> None:
        stream = prediction.stream
        watched = self.watched[stream]
        watched.last = now
        watched.predictions += 1
        if prediction.confidence is not None:
            watched.confidences.append((now, prediction.confidence))
        if prediction.inputs and (sample := watched.samples.add(prediction.inputs, now)):
            reference = self.references.setdefault((stream.namespace, stream.model), [])
            if len(reference) < REFERENCE_ROWS:
                reference.append(sample)
        if joined := self.join.predict(prediction.id, Answer(stream, prediction.prediction, now)):
            self._count(joined, now)

    def _count(self, joined: Joined, now: float) -> None:
        watched = self.watched.get(joined.stream)
        if watched is None:  # Its version was dropped for another one.
            return
        within = self.specs.within(joined.stream.model)
        right = is_right(joined.prediction, joined.label, within)
        if right is None:
            watched.mismatched += 1
            return
        watched.labelled += 1
        watched.right += right
        error = None
        if within is not None:
            error = abs(float(joined.prediction) - float(joined.label))
        watched.outcomes.append(Outcome(now, right, error, joined.delay))

    def _expire(self, now: float) -> None:
        expired = self.join.expire(now)
        self.unmatched_labels += expired.labels
        for stream, count in expired.predictions.items():
            if stream in self.watched:
                self.watched[stream].expired += count


def is_right(prediction: Value, label: Value, within: float | None) -> bool | None:
    """Return whether a prediction is right: within a distance where `within` is given, else equal.

    Returns:
        None for a number and a text: they are not comparable, so they do not show the model's quality.
    """
    if isinstance(prediction, str) or isinstance(label, str):
        alike = isinstance(prediction, str) and isinstance(label, str) and within is None
        return prediction == label if alike else None
    return prediction == label if within is None else abs(prediction - label) <= within
