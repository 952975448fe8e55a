"""What the observing service makes of predictions, of labels, of inputs."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import a_spec

from slipway.errors import SlipwayError
from slipway.observe import drift, messages, metrics, observer
from slipway.observe.drift import Comparison, Drift
from slipway.observe.join import Answer, Join, Truth
from slipway.observe.messages import Label, Prediction, Stream
from slipway.observe.observer import Observer, Receipt, is_right
from slipway.observe.samples import Samples, matched
from slipway.observe.specs import Specs, read_specs

STREAM = Stream("models", "churn", "3")
SPEC = """name: churn
owner: growth
objectives:
  success_rate_percent:
    at_least: 99
  latency_p95_ms:
    at_most: 250
rollout:
  requests_per_second: 20
"""


def an_observer() -> Observer:
    return Observer(Specs(Path("models"), {"churn": a_spec(), "wine": a_spec("wine")}, {}, ()))


def predictions(count: int, version: str = "3", start: int = 0, **more: Any) -> list[Prediction]:
    """Make predictions of class 1 whose ids are numbers."""
    fields = {"namespace": "models", "model": "churn", "version": version, "prediction": 1, **more}
    return [Prediction(id=str(number), **fields) for number in range(start, start + count)]


def labels(count: int, label: Any = 1, start: int = 0) -> list[Label]:
    return [Label(id=str(number), label=label) for number in range(start, start + count)]


def series(of: Observer, now: float = 0.0) -> dict[str, dict[str, float]]:
    """Read what Prometheus would: value by label values (without namespace, model), by name."""
    found: dict[str, dict[str, float]] = {}
    for family in metrics.registry(of, lambda: now).collect():
        for sample in family.samples:
            rest = [value for name, value in sample.labels.items() if name not in ("namespace", "model")]
            found.setdefault(sample.name, {})["/".join(rest)] = sample.value
    return found


def labels_later(watching: Observer) -> None:
    watching.predicted(predictions(2), 0.0)
    watching.labelled([Label(id="0", label=1), Label(id="1", label=0)], 7.0)


def labels_first(watching: Observer) -> None:
    watching.labelled([Label(id="0", label=1), Label(id="1", label=0)], 0.0)
    watching.predicted(predictions(2), 7.0)


@pytest.mark.parametrize("arrive", [labels_later, labels_first])
def test_labels_meet_their_predictions_whichever_come_first(arrive: Callable[[Observer], None]) -> None:
    watching = an_observer()
    arrive(watching)
    found = series(watching)
    assert found["slipway_labelled_total"] == {"3": 2}
    assert found["slipway_right_total"] == {"3": 1}
    assert found["slipway_predictions_waiting"] == found["slipway_labels_waiting"] == {"": 0}


def test_what_is_sent_twice_is_counted_once() -> None:
    watching = an_observer()
    assert watching.labelled(labels(2), 0.0) == Receipt(accepted=2, duplicates=0)
    assert watching.labelled(labels(3, label=0), 0.0) == Receipt(accepted=1, duplicates=2)
    for expected in (Receipt(3, 0), Receipt(0, 3)):
        assert watching.predicted(predictions(3), 1.0) == expected
    assert watching.labelled(labels(3), 2.0) == Receipt(0, 3)
    assert series(watching)["slipway_labelled_total"] == {"3": 3}
    assert series(watching)["slipway_right_total"] == {"3": 2}


def test_a_version_counts_from_zero_before_its_first_label_comes() -> None:
    watching = an_observer()
    watching.predicted(predictions(1), 0.0)
    found = series(watching)
    assert found["slipway_labelled_total"] == found["slipway_right_total"] == {"3": 0}


def test_the_window_forgets_the_oldest_by_count() -> None:
    window = Join(entries=2, seconds=100)
    for number in range(5):
        window.predict(f"p{number}", Answer(STREAM, 1, at=float(number)))
        window.label(f"l{number}", Truth(1, at=float(number)))
    gone = window.expire(now=5.0)
    assert (gone.predictions[STREAM], gone.labels) == (3, 3)
    assert window.label("p2", Truth(1, 5.0)) is None
    assert window.label("p3", Truth(1, 5.0)) is not None


def test_the_window_forgets_by_age_what_never_met_its_other_half() -> None:
    window = Join(entries=100, seconds=100)
    window.predict("met", Answer(STREAM, 1, at=0.0))
    window.predict("alone", Answer(STREAM, 1, at=0.0))
    window.label("met", Truth(1, at=50.0))
    assert window.expire(now=100.0).predictions.total() == 0
    assert window.expire(now=101.0).predictions == {STREAM: 1}
    assert window.unlabelled == 0
    assert not window.has_prediction("met")


@pytest.mark.parametrize(
    ("prediction", "label", "within", "right"),
    [
        (1, 1, None, True),
        (1, 1.0, None, True),
        (0, 1, None, False),
        ("cat", "cat", None, True),
        ("cat", "dog", None, False),
        (10.0, 12.0, 2.0, True),
        (10.0, 12.1, 2.0, False),
        (1, "1", None, None),
        ("cat", 1, None, None),
        ("cat", "cat", 2.0, None),
    ],
)
def test_an_answer_is_right_when_it_equals_its_label_or_is_within_the_objective(
    prediction: Any, label: Any, within: float | None, right: bool | None
) -> None:
    assert is_right(prediction, label, within) is right


def test_a_regression_has_a_mean_error_and_is_right_within_its_objective() -> None:
    objectives = {**a_spec().objectives.model_dump(), "correct_percent": {"at_least": 70}, "within": 5.0}
    watching = Observer(Specs(Path("models"), {"churn": a_spec(objectives=objectives)}, {}, ()))
    watching.predicted(predictions(40, prediction=100.0), 0.0)
    watching.labelled([*labels(30, label=102.0), *labels(10, label=110.0, start=30)], 0.0)
    found = series(watching)
    assert found["slipway_quality_ratio"] == {"3": 0.75}
    assert found["slipway_mean_absolute_error"] == {"3": pytest.approx(4.0)}


def test_a_label_of_another_kind_says_nothing_about_the_model() -> None:
    watching = an_observer()
    watching.predicted(predictions(1), 0.0)
    watching.labelled(labels(1, label="1"), 0.0)
    found = series(watching)
    assert found["slipway_labelled_total"] == {"3": 0}
    assert found["slipway_labels_mismatched_total"] == {"3": 1}


def test_a_gauge_is_no_series_before_enough_was_labelled() -> None:
    watching = an_observer()
    watching.predicted(predictions(metrics.MIN_OUTCOMES, confidence=0.75), 0.0)
    watching.labelled(labels(metrics.MIN_OUTCOMES - 1), 4.0)
    gauges = ("slipway_quality_ratio", "slipway_label_delay_seconds", "slipway_mean_absolute_error")
    assert not series(watching, 4.0).keys() & set(gauges)
    assert series(watching, 4.0)["slipway_confidence_mean"] == {"3": 0.75}
    watching.labelled(labels(1, label=0, start=metrics.MIN_OUTCOMES - 1), 4.0)
    found = series(watching, 4.0)
    assert found["slipway_quality_ratio"]["3"] == pytest.approx(29 / 30)
    assert found["slipway_label_delay_seconds"] == {"3": 4.0}


def test_gauges_fall_silent_when_nothing_recent_is_labelled_while_counters_stay() -> None:
    watching = an_observer()
    watching.predicted(predictions(50), 0.0)
    watching.labelled(labels(50), 0.0)
    assert series(watching, 600.0)["slipway_quality_ratio"] == {"3": 1.0}
    assert "slipway_quality_ratio" not in series(watching, 601.0)
    assert series(watching, 601.0)["slipway_labelled_total"] == {"3": 50}


def test_an_unknown_model_is_refused_with_the_nearest_name_so_is_its_whole_batch() -> None:
    watching = an_observer()
    batch = [*predictions(1), *predictions(1, start=1, model="chrun")]
    with pytest.raises(SlipwayError, match=r"predictions\[1\]\.model: unknown model 'chrun'.* nearest is 'churn'"):
        watching.predicted(batch, 0.0)
    assert "slipway_predictions_total" not in series(watching)


def test_versions_are_bounded_and_make_room_only_once_they_are_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(observer, "MAX_STREAMS", 2)
    watching = an_observer()
    for version in ("1", "2"):
        watching.predicted(predictions(1, version), 0.0)
    with pytest.raises(SlipwayError, match=r"version 3 of 'churn': expected at most 2 versions"):
        watching.predicted(predictions(1, "3"), 10.0)
    watching.predicted(predictions(1, "2", start=1), 3_000.0)
    watching.predicted(predictions(1, "3", start=2), 4_000.0)
    assert series(watching)["slipway_predictions_total"].keys() == {"2", "3"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 3}, r"predictions[1].version: expected a text (put it in quotes), got 3"),
        ({"prediction": [1]}, "predictions[1].prediction: expected one number, text or boolean, got a list"),
        ({"inputs": {"age": {}}}, "predictions[1].inputs.age: expected one number, text or boolean, got a dict"),
        ({"inputs": {"age": float("nan")}}, "predictions[1].inputs.age: expected a finite number"),
        ({"inputs": {"age": "x" * 257}}, "predictions[1].inputs.age: expected at most 256 characters"),
        ({"confidence": 1.5}, "predictions[1].confidence: expected at most 1.0, got 1.5"),
        ({"idd": "x"}, "predictions[1].idd: unknown key; nearest valid key is 'id'"),
        ({"id": ""}, "predictions[1].id: expected a text that is not empty"),
        ({"namespace": "Models"}, "predictions[1].namespace: expected a text that matches"),
    ],
)
def test_a_bad_prediction_is_refused_with_its_place_in_one_line(change: dict[str, Any], said: str) -> None:
    good = predictions(1)[0].model_dump()
    with pytest.raises(SlipwayError) as refused:
        messages.parse_predictions(json.dumps([good, {**good, **change}]).encode())
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("body", [b"", b"{}", b"no", b'["id"]', b'[{"id": "a"}]', b'[{"id": "a", "label": null}]'])
def test_what_is_no_list_of_labels_is_refused_in_one_line(body: bytes) -> None:
    with pytest.raises(SlipwayError) as refused:
        messages.parse_labels(body)
    assert str(refused.value).startswith("labels")
    assert "\n" not in str(refused.value)


def test_a_batch_that_is_too_long_is_refused() -> None:
    body = json.dumps([{"id": "a", "label": 1}] * (messages.MAX_ITEMS + 1)).encode()
    with pytest.raises(SlipwayError, match="expected at most 1000 items, got 1001"):
        messages.parse_labels(body)


def test_specs_are_read_again_once_a_file_changes_and_a_bad_one_silences_its_own_model_only(tmp_path: Path) -> None:
    (tmp_path / "churn.yaml").write_text(SPEC)
    first = read_specs(tmp_path)
    assert read_specs(tmp_path, first) is first
    (tmp_path / "wine.yaml").write_text("name: wine\n")
    specs = read_specs(tmp_path, first)
    specs.check("churn")
    with pytest.raises(SlipwayError, match=r"the spec of 'wine' cannot be read: .*wine\.yaml"):
        specs.check("wine")


def test_of_each_slot_of_time_both_versions_have_equally_many_rows_compared() -> None:
    stable, candidate = Samples(), Samples()
    for second in range(100):
        for _ in range(9):
            stable.add({"at": second}, float(second))
        if second >= 50:
            candidate.add({"at": second}, float(second))
    one, other = matched(candidate.recent(99.0), stable.recent(99.0))
    assert len(one) == len(other) == 50
    assert min(row["at"] for row in other) == 50  # type: ignore[type-var]


def test_the_sample_of_a_version_is_bounded_by_count_and_age() -> None:
    kept = Samples()
    for second in range(2_000):
        for _ in range(5):
            kept.add({"at": second}, float(second))
    rows = kept.recent(1_999.0)
    assert len(rows) <= 121 * 20
    assert rows[0].row["at"] == 1_395


def test_the_sample_of_a_wide_model_has_fewer_rows() -> None:
    kept = Samples()
    row = dict.fromkeys(map(str, range(200)), 1)
    for second in range(600):
        kept.add(row, float(second))
    assert len(kept.recent(599.0)) == 360


def test_a_candidate_is_held_against_the_version_that_was_there_before_it() -> None:
    watching, start = an_observer(), 0
    for second in range(0, 400, 2):
        for version in ("2", "3") if second >= 200 else ("2",):
            watching.predicted(predictions(4, version, start, inputs={"age": start}), float(second))
            start += 4
    found = {(each.stream.version, each.against): each for each in watching.comparisons(399.0)}
    assert found.keys() == {("2", "reference"), ("3", "reference"), ("3", "2")}
    assert len(found["3", "2"].rows) == len(found["3", "2"].others) == 400
    assert len(found["2", "reference"].others) == 300
    oldest = max(row["age"] for row in found["2", "reference"].others)  # type: ignore[type-var]
    assert oldest < min(row["age"] for row in found["2", "reference"].rows)  # type: ignore[operator, type-var]


def test_two_versions_that_are_first_heard_of_at_once_are_still_compared() -> None:
    watching = an_observer()
    watching.predicted([*predictions(5, "10", 0, inputs={"a": 1}), *predictions(5, "9", 5, inputs={"a": 1})], 0.0)
    assert [(each.stream.version, each.against) for each in watching.comparisons(0.0)] == [("10", "9")]


def test_drift_is_no_series_before_there_are_enough_rows() -> None:
    rows = [{"age": 1.0}] * (drift.MIN_ROWS - 1)
    assert drift.measure(Comparison(STREAM, "2", rows, rows * 2)) is None
    watching = an_observer()
    assert not series(watching).keys() & {"slipway_feature_drift", "slipway_features_drifted_ratio"}


def test_drift_tells_columns_that_differ_from_those_that_do_not() -> None:
    draw = random.Random(7)

    def rows(shift: float, red: float, **more: Any) -> list[dict[str, Any]]:
        return [
            {
                "same": draw.gauss(0, 1),
                "shifted": draw.gauss(shift, 1),
                "colour": "red" if draw.random() < red else "blue",
                "flag": draw.random() < 0.5,
                "id": f"{draw.random()}",
                "number": 5,
                **more,
            }
            for _ in range(300)
        ]

    found = drift.measure(Comparison(STREAM, "2", rows(1, 0.2, number="5"), rows(0, 0.5, gone=1.5)))
    assert isinstance(found, Drift)
    assert found.columns["shifted"].distance == pytest.approx(0.38, abs=0.12)
    assert found.columns["colour"].distance == pytest.approx(0.3, abs=0.08)
    # What changed its type, or is gone, could not be further apart.
    assert found.columns["number"].distance == found.columns["gone"].distance == 1.0
    # Texts that never repeat are told apart by nothing.
    assert found.columns["id"].distance == 0.0
    assert {name for name, each in found.columns.items() if each.p < 1e-3} == {"shifted", "colour", "number", "gone"}
    assert found.drifted_share == pytest.approx(4 / 7)
    watching = an_observer()
    watching.drifts = [found]
    assert series(watching)["slipway_features_drifted_ratio"] == {"3/2": pytest.approx(4 / 7)}
    assert series(watching)["slipway_feature_drift"]["3/gone/2"] == 1.0
