"""Joins predictions with their labels, whichever comes first.

Pure: moments are arguments, in seconds of any clock that only goes forward.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass, replace
from typing import TypeVar

from slipway.observe.messages import Stream

Value = bool | int | float | str

#: Ids that are remembered at most, of predictions as of early labels: about 0.3 kB each, so 120 MB when both are full.
WINDOW_ENTRIES = 200_000
#: Seconds that an id is remembered at most. A label that takes longer comes too late for any rollout.
WINDOW_SECONDS = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction that was served; `labelled` once its label is known, kept so that a second one counts nothing."""

    stream: Stream
    prediction: Value
    at: float
    labelled: bool = False


@dataclass(frozen=True, slots=True)
class Truth:
    """A label that came before its prediction."""

    label: Value
    at: float


Entry = TypeVar("Entry", Answer, Truth)


@dataclass(frozen=True, slots=True)
class Joined:
    """A prediction with its label; `delay` is the seconds from one to the other, 0 where the label came first."""

    stream: Stream
    prediction: Value
    label: Value
    delay: float


@dataclass(frozen=True)
class Expired:
    """What left the window without the other half."""

    predictions: Counter[Stream]
    labels: int


class Join:
    """The window of what waits for its other half, bounded by count, by age.

    Args:
        entries: Predictions to remember at most, labels likewise.
        seconds: How long.
    """

    def __init__(self, entries: int = WINDOW_ENTRIES, seconds: float = WINDOW_SECONDS) -> None:
        self._entries, self._seconds = entries, seconds
        self._answers: OrderedDict[str, Answer] = OrderedDict()
        self._truths: OrderedDict[str, Truth] = OrderedDict()
        self._unlabelled = 0

    @property
    def unlabelled(self) -> int:
        """Predictions that wait for their label."""
        return self._unlabelled

    @property
    def early_labels(self) -> int:
        """Labels that wait for their prediction."""
        return len(self._truths)

    def has_prediction(self, key: str) -> bool:
        """Tell whether the prediction of this id came already."""
        return key in self._answers

    def has_label(self, key: str) -> bool:
        """Tell whether the label of this id came already."""
        answer = self._answers.get(key)
        return key in self._truths or (answer is not None and answer.labelled)

    def predict(self, key: str, answer: Answer) -> Joined | None:
        """Take a prediction whose id is new; returns it with its label if that was here before."""
        truth = self._truths.pop(key, None)
        self._answers[key] = replace(answer, labelled=True) if truth else answer
        if truth:
            return Joined(answer.stream, answer.prediction, truth.label, 0.0)
        self._unlabelled += 1
        return None

    def label(self, key: str, truth: Truth) -> Joined | None:
        """Take a label whose id is new; returns it with its prediction if that was here before."""
        answer = self._answers.get(key)
        if answer is None:
            self._truths[key] = truth
            return None
        self._answers[key] = replace(answer, labelled=True)
        self._unlabelled -= 1
        return Joined(answer.stream, answer.prediction, truth.label, truth.at - answer.at)

    def expire(self, now: float) -> Expired:
        """Forget what is too old or too much, the oldest first."""
        gone: Counter[Stream] = Counter()
        for answer in self._leaving(self._answers, now):
            if not answer.labelled:
                gone[answer.stream] += 1
        self._unlabelled -= gone.total()
        return Expired(gone, len(self._leaving(self._truths, now)))

    def _leaving(self, entries: OrderedDict[str, Entry], now: float) -> list[Entry]:
        left = []
        while entries and (len(entries) > self._entries or next(iter(entries.values())).at < now - self._seconds):
            left.append(entries.popitem(last=False)[1])
        return left
