"""Memory of containers: amounts, limits, whom to evict."""

from __future__ import annotations

from pathlib import Path

import pytest

from slipway.lab.kubelet import memory
from slipway.lab.kubelet.memory import Use


@pytest.mark.parametrize(
    ("text", "amount"),
    [("128974848", 128974848), ("129M", 129_000_000), ("123Mi", 123 << 20), ("1.5Gi", 3 << 29), ("1k", 1000)],
)
def test_an_amount_of_memory_is_read_as_the_api_writes_it(text: str, amount: int) -> None:
    assert memory.in_bytes(text) == amount


@pytest.mark.parametrize("text", ["", "100m", "1e9", "lots"])
def test_what_is_no_amount_of_memory_is_no_limit(text: str) -> None:
    assert memory.in_bytes(text) is None


def test_a_container_that_is_gone_uses_nothing() -> None:
    assert memory.used([1 << 22]) == {}


def test_the_machine_s_available_memory_is_read(tmp_path: Path) -> None:
    (tmp_path / "meminfo").write_text("MemTotal:       100 kB\nMemFree:   1 kB\nMemAvailable:    7 kB\n")
    assert memory.available(tmp_path / "meminfo") == 7 << 10


@pytest.mark.parametrize(
    ("pods", "chosen"),
    [
        ({}, None),
        ({"modest": Use(80, 100), "greedy": Use(20, 10)}, "greedy"),
        ({"important": Use(90, 10, priority=5), "ordinary": Use(50, 10)}, "ordinary"),
        ({"small": Use(30, 10), "large": Use(60, 10)}, "large"),
    ],
)
def test_whom_to_evict_is_decided_by_request_then_priority_then_excess(pods: dict[str, Use], chosen: str) -> None:
    assert memory.victim(pods) == chosen
