"""Metric families of observe's state, for Prometheus.

A gauge with too few samples is no series at all, so that no query can use it as a measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, median

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from slipway.observe.observer import Observer
from slipway.series import LABELLED, RIGHT

#: Labelled predictions (or predictions with a confidence) that a mean needs: with 30, the 95 % interval of a share is
#: up to 18 percentage points to either side. The judge decides by the counters, with its own test.
MIN_OUTCOMES = 30

_STREAM = ("namespace", "model", "version")


class ObserverCollector(Collector):
    """Collector of the observer's state at each scrape.

    Args:
        clock: The clock of its times, in seconds.
    """

    def __init__(self, observer: Observer, clock: Callable[[], float]) -> None:
        self._observer, self._clock = observer, clock

    def collect(self) -> Iterator[Metric]:
        """Yield all families."""
        yield from _counters(self._observer)
        yield from _recent(self._observer, self._clock())
        yield from _drift(self._observer)
        yield from _window(self._observer)


def registry(observer: Observer, clock: Callable[[], float]) -> CollectorRegistry:
    """Return a separate registry: the global one has the process' own series."""
    made = CollectorRegistry()
    made.register(ObserverCollector(observer, clock))
    return made


def _counters(observer: Observer) -> Iterator[Metric]:
    predictions = _counter("slipway_predictions", "Predictions seen.")
    labelled = _counter(LABELLED, "Predictions whose label is known.")
    right = _counter(RIGHT, "Labelled predictions that were right.")
    expired = _counter("slipway_predictions_expired", "Predictions that left the window without a label.")
    mismatched = _counter("slipway_labels_mismatched", "Labels that are a number for a text, or a text for a number.")
    for stream, watched in observer.watched.items():
        # From the first prediction on, at 0, since rates miss the first value of a series.
        predictions.add_metric(stream, watched.predictions)
        labelled.add_metric(stream, watched.labelled)
        right.add_metric(stream, watched.right)
        expired.add_metric(stream, watched.expired)
        mismatched.add_metric(stream, watched.mismatched)
    yield from (predictions, labelled, right, expired, mismatched)


def _recent(observer: Observer, now: float) -> Iterator[Metric]:
    quality = _gauge("slipway_quality_ratio", "Share of right answers among those labelled lately.")
    error = _gauge("slipway_mean_absolute_error", "Of a regression's answers labelled lately.")
    delay = _gauge("slipway_label_delay_seconds", "Median time from prediction to label.")
    confidence = _gauge("slipway_confidence_mean", "The model's own confidence in its recent answers.")
    for stream in observer.watched:
        outcomes = observer.recent_outcomes(stream, now)
        _add(quality, stream, [float(each.right) for each in outcomes])
        _add(error, stream, [each.error for each in outcomes if each.error is not None])
        _add(delay, stream, [each.delay for each in outcomes], median)
        _add(confidence, stream, observer.recent_confidences(stream, now))
    yield from (quality, error, delay, confidence)


def _drift(observer: Observer) -> Iterator[Metric]:
    distance = _gauge("slipway_feature_drift", "Distance of a column's distributions, 0 to 1.", "feature", "against")
    share = _gauge("slipway_features_drifted_ratio", "Share of columns that differ by more than chance.", "against")
    for drift in observer.drifts:
        share.add_metric((*drift.stream, drift.against), drift.drifted_share)
        for name, found in drift.columns.items():
            distance.add_metric((*drift.stream, name, drift.against), found.distance)
    yield from (distance, share)


def _window(observer: Observer) -> Iterator[Metric]:
    yield GaugeMetricFamily("slipway_predictions_waiting", "Without a label yet.", observer.join.unlabelled)
    yield GaugeMetricFamily("slipway_labels_waiting", "Without a prediction yet.", observer.join.early_labels)
    yield CounterMetricFamily(
        "slipway_labels_unmatched", "Labels that left the window without a prediction.", observer.unmatched_labels
    )


def _counter(name: str, text: str) -> CounterMetricFamily:
    return CounterMetricFamily(name, text, labels=_STREAM)


def _gauge(name: str, text: str, *more: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=(*_STREAM, *more))


Of = Callable[[Sequence[float]], float]


def _add(family: GaugeMetricFamily, labels: Sequence[str], values: Sequence[float], of: Of = fmean) -> None:
    if len(values) >= MIN_OUTCOMES:
        family.add_metric(labels, of(values))
