"""Times and durations, as Kubernetes, Flagger and our own records write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway import times

#: Milliseconds from 1970 to 2100.
MILLISECONDS = st.integers(0, 4_102_444_800_000)


@given(MILLISECONDS)
def test_a_written_time_is_read_back_as_the_same_moment(milliseconds: int) -> None:
    moment = milliseconds / 1000
    assert times.epoch(times.stamp(moment)) == pytest.approx(moment, abs=1e-3)
    assert times.epoch(times.iso(moment)) == milliseconds // 1000


@given(st.lists(MILLISECONDS, min_size=2))
def test_the_order_of_texts_is_that_of_time(milliseconds: list[int]) -> None:
    moments = [each / 1000 for each in sorted(milliseconds)]
    assert [*map(times.stamp, moments)] == sorted(map(times.stamp, moments))


def test_what_is_no_time_is_refused_and_none_stays_none() -> None:
    assert (times.epoch(None), times.epoch("")) == (None, None)
    with pytest.raises(ValueError, match="now"):
        times.epoch("now")


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59))
def test_a_duration_of_go_is_read_in_seconds(hours: int, minutes: int, seconds: int) -> None:
    assert times.seconds(f"{hours}h{minutes}m{seconds}s") == 3600 * hours + 60 * minutes + seconds
    assert times.seconds(f"{minutes}m") == 60 * minutes
