"""Comparison of both versions' answers to the same requests.

During a rollout the requests of a small set are drawn repeatedly, so that both versions answer most of them. Comparing
these says more than two shares do: each request is its own control.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from slipway.clients.inference import same_answers
from slipway.documents import Frozen
from slipway.traffic.reports import Sink


class Comparison(Frozen):
    """Comparison over the distinct requests that both versions answered."""

    requests: int
    #: Requests with different answers; with `within`, with numbers further apart than that.
    differ: int
    within: float | None = None
    #: Requests with a known truth, and how many of them each version answers right.
    labelled: int = 0
    stable_right: int = 0
    candidate_right: int = 0
    #: Only the candidate is right; only the stable version is right.
    mended: int = 0
    broken: int = 0


class Answers:
    """Record of predictions and labels, which are passed on to `sink`."""

    def __init__(self, sink: Sink | None) -> None:
        self.sink = sink
        #: The newest prediction, by the request's inputs and version.
        self._predicted: dict[str, dict[str, Any]] = {}
        self._labels: dict[str, Any] = {}
        self._asked: dict[str, str] = {}

    def predicted(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Record predictions and pass them on."""
        for each in predictions:
            if each["inputs"]:
                key = json.dumps(each["inputs"], sort_keys=True, default=str)
                self._predicted.setdefault(key, {})[each["version"]] = each["prediction"]
                self._asked[each["id"]] = key
        if self.sink:
            self.sink.predicted(predictions)

    def labelled(self, labels: Sequence[Mapping[str, Any]]) -> None:
        """Record labels and pass them on."""
        for each in labels:
            if key := self._asked.pop(each["id"], None):
                self._labels[key] = each["label"]
        if self.sink:
            self.sink.labelled(labels)

    def compare(self, stable: int, candidate: int, within: float | None) -> Comparison:
        """Compare two versions; numbers may differ by `within`, None compares answers exactly."""
        before, after = str(stable), str(candidate)
        both = {key: found for key, found in self._predicted.items() if before in found and after in found}
        known = [(found[before], found[after], self._labels[key]) for key, found in both.items() if key in self._labels]
        rights = [(_same(one, truth, within), _same(other, truth, within)) for one, other, truth in known]
        return Comparison(
            requests=len(both),
            differ=sum(not _same(found[before], found[after], within) for found in both.values()),
            within=within,
            labelled=len(known),
            stable_right=sum(one for one, _ in rights),
            candidate_right=sum(other for _, other in rights),
            mended=sum(other and not one for one, other in rights),
            broken=sum(one and not other for one, other in rights),
        )


def _same(one: Any, other: Any, within: float | None) -> bool:
    if within is not None:
        return abs(float(one) - float(other)) <= within
    return same_answers([one], [other])
