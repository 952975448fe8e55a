"""All that is known about the models' answers, in bounded memory.

Pure but for the specs it is given: moments are arguments, in seconds of any clock that only goes forward.
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

#: Versions that are watched at once; each holds 5 MB of recent inputs at most.
MAX_STREAMS = 128
#: Seconds without a prediction after which a version makes room for another, if there is none left.
IDLE_SECONDS = 3600.0
#: Outcomes, confidences of a version that its gauges are taken from, if they are recent (samples.RECENT_SECONDS).
RECENT_OUTCOMES = 1_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """A labelled prediction; `error` is the absolute one of a number, None without `objectives.within`."""

    at: float
    right: bool
    error: float | None
    delay: float


@dataclass
class Watched:
    """What is known about one version: counts since the start, what was recent."""

    first: float
    last: float
    predictions: int = 0
    labelled: int = 0
    right: int = 0
    #: Predictions that left the window without a label; those whose label could not be compared with them.
    expired: int = 0
    mismatched: int = 0
    outcomes: deque[Outcome] = field(default_factory=lambda: deque(maxlen=RECENT_OUTCOMES))
    confidences: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=RECENT_OUTCOMES))
    samples: Samples = field(default_factory=Samples)


@dataclass(frozen=True)
class Receipt:
    """What became of a batch."""

    accepted: int
    duplicates: int


@dataclass
class Observer:
    """The service's state; one thread uses it.

    Args:
        specs: The models that are watched.
    """

    specs: Specs
    join: Join = field(default_factory=Join)
    watched: dict[Stream, Watched] = field(default_factory=dict)
    #: The earliest inputs of a model, by namespace with name; filled once.
    references: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)
    unmatched_labels: int = 0
    #: What was measured last; replaced as a whole.
    drifts: Sequence[Drift] = ()

    def predicted(self, predictions: Sequence[Prediction], now: float) -> Receipt:
        """Take a batch, all of it or nothing.

        Raises:
            SlipwayError: A model without a spec; too many versions at once.
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
        """Take a batch of labels."""
        duplicates = 0
        for label in labels:
            if self.join.has_label(label.id):
                duplicates += 1
            elif joined := self.join.label(label.id, Truth(label.label, now)):
                self._count(joined, now)
        self._expire(now)
        return Receipt(len(labels) - duplicates, duplicates)

    def comparisons(self, now: float) -> list[Comparison]:
        """List what drift is to be measured of: each version against its model's earliest window and a peer."""
        found = []
        recent = {stream: watched.samples.recent(now) for stream, watched in self.watched.items()}
        for stream, samples in recent.items():
            reference = self.references.get(stream[:2], [])
            if len(reference) == REFERENCE_ROWS:
                # The reference's own rows would make it look the same.
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
        """Return the labelled predictions of a version whose label came lately."""
        return [each for each in self.watched[stream].outcomes if each.at >= now - RECENT_SECONDS]

    def recent_confidences(self, stream: Stream, now: float) -> list[float]:
        """Return how sure a version was of its latest answers."""
        return [value for at, value in self.watched[stream].confidences if at >= now - RECENT_SECONDS]

    def _age(self, stream: Stream) -> tuple[float, int]:
        """Order versions by when they were first heard of; a restart in mid-rollout may hear of both at once."""
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
                f"predictions: version {stream.version} of {stream.model!r} is one too many: {MAX_STREAMS} versions"
                f" were heard of within {IDLE_SECONDS / 60:g} minutes; watch fewer, or restart the service"
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
        if watched is None:  # Its version made room for another.
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
    """Judge one answer: a number close enough where `within` is given, else equality.

    Returns:
        None where a number meets a text: the two sides speak of different things, which tells nothing about the model.
    """
    if isinstance(prediction, str) or isinstance(label, str):
        alike = isinstance(prediction, str) and isinstance(label, str) and within is None
        return prediction == label if alike else None
    return prediction == label if within is None else abs(prediction - label) <= within
