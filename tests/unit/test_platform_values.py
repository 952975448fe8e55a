"""Values of charts that are refused before helm sees them."""

from __future__ import annotations

from typing import Any

import pytest

from slipway.errors import SlipwayError
from slipway.platform.charts import Chart, check_values

KNOWN = {
    "replicas": 1,
    "image": {"repository": "ghcr.io/a/b", "tag": None},
    "nodeSelector": {},
    "extra": None,
    "list": [{"name": "x"}],
}


def check(values: dict[str, Any], *free: str) -> None:
    check_values(Chart("flagger", "path", "flagger-system", open=free), values, KNOWN)


def test_a_value_that_the_chart_knows_is_taken() -> None:
    check({"replicas": 2, "image": {"tag": "1.2.3"}, "extra": {"anything": True}, "list": [{"other": 1}]})


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"replica": 2}, "chart flagger: unknown value replica; nearest is 'replicas'"),
        ({"image": {"tagg": "1"}}, "chart flagger: unknown value image.tagg; nearest is 'tag'"),
        ({"qqq": 1}, "chart flagger: unknown value qqq; it knows extra, image, list, nodeSelector, replicas"),
        (
            {"nodeSelector": {"pool": "a"}},
            "chart flagger: unknown value nodeSelector.pool; it knows nothing there",
        ),
    ],
)
def test_one_that_it_does_not_know_is_refused_with_the_nearest(values: dict[str, Any], said: str) -> None:
    with pytest.raises(SlipwayError) as caught:
        check(values)
    assert str(caught.value) == said


def test_below_an_open_value_any_key_may_stand() -> None:
    check({"nodeSelector": {"pool": "a"}, "undocumented": "b"}, "nodeSelector", "undocumented")
    with pytest.raises(SlipwayError, match=r"unknown value image\.pool"):
        check({"image": {"pool": "a"}}, "nodeSelector")
