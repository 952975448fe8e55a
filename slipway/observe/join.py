"""Join of predictions with their labels, in any order.

Pure: times are arguments, in seconds of any monotonic clock.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, replace
from typing import TypeVar

from slipway.observe.messages import Stream

Value = bool | int | float | str

#: Predictions and early labels in the window at most, each: about 0.3 kB per entry, so 120 MB when both are full.
WINDOW_ENTRIES = 200_000
#: Seconds of an entry in the window at most. A later label is too late for any rollout.
WINDOW_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """Served prediction; a labelled one is kept, so that a second label is not counted."""

    stream: Stream
    prediction: Value
    at: float
    labelled: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """Label that came before its prediction."""

    label: Value
    at: float


Entry = TypeVar("Entry", Answer, Truth)


@dataclass(frozen=True, slots=True)
class Joined:
    """Prediction with its label; `delay` is the seconds between them, 0 if the label came first."""

    stream: Stream
    prediction: Value
    label: Value
    delay: float


@dataclass(frozen=True)
class Expired:
    """Predictions and labels that left the window unjoined."""

    predictions: Counter[Stream]
    labels: int


class Join:
    """Window of unjoined predictions and labels, bounded by count and age.

    Args:
        entries: Predictions at most, and labels at most.
        seconds: Age at most.
    """

    def __init__(self, entries: int = WINDOW_ENTRIES, seconds: float = WINDOW_SECONDS) -> None:
        self._entries, self._seconds = entries, seconds
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._truths: OrderedDict[str, Truth] = OrderedDict()
        #: Predictions that wait for their label.
        self.unlabelled = 0

    @property
    def early_labels(self) -> int:
        """Number of labels that wait for their prediction."""
        return len(self._truths)

    def has_prediction(self, key: str) -> bool:
        """Return whether the window has the prediction of this id."""
        return key in self._answers

    def has_label(self, key: str) -> bool:
        """Return whether the window has the label of this id."""
        answer = self._answers.get(key)
        return key in self._truths or (answer is not None and answer.labelled)

    def predict(self, key: str, answer: Answer) -> Joined | None:
        """Add a prediction with a new id; return it with its label if that came before."""
        truth = self._truths.pop(key, None)
        self._answers[key] = replace(answer, labelled=True) if truth else answer
        if truth:
            return Joined(answer.stream, answer.prediction, truth.label, 0.0)
        self.unlabelled += 1
        return None

    def label(self, key: str, truth: Truth) -> Joined | None:
        """Add a label with a new id; return it with its prediction if that came before."""
        answer = self._answers.get(key)
        if answer is None:
            self._truths[key] = truth
            return None
        self._answers[key] = replace(answer, labelled=True)
        self.unlabelled -= 1
        return Joined(answer.stream, answer.prediction, truth.label, truth.at - answer.at)

    def expire(self, now: float) -> Expired:
        """Remove entries that are too old or too many, the oldest first."""
        gone: Counter[Stream] = Counter()
        for answer in self._leaving(self._answers, now):
            if not answer.labelled:
                gone[answer.stream] += 1
        self.unlabelled -= gone.total()
        return Expired(gone, len(self._leaving(self._truths, now)))

    def _leaving(self, entries: OrderedDict[str, Entry], now: float) -> list[Entry]:
        left = []
        while entries and (len(entries) > self._entries or next(iter(entries.values())).at < now - self._seconds):
            left.append(entries.popitem(last=False)[1])
        return left
