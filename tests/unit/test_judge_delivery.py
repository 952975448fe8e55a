"""How well an environment delivers, from what a ledger says."""

from __future__ import annotations

from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from slipway.judge.delivery import Delivered, DeliveryCollector, delivered
from slipway.judge.ledger import Entry, Ledger
from slipway.times import stamp

START = 1_795_000_000.0
CHURN = ("models", "churn")


def told(*happened: tuple[float, str]) -> list[Entry]:
    return [Entry(stamp(START + at), *CHURN, kind, kind) for at, kind in happened]


def count(*happened: tuple[float, str]) -> Delivered:
    return delivered(told(*happened))[CHURN]


def test_a_promotion_takes_from_the_start_until_everybody_has_it() -> None:
    found = count((0, "started"), (10, "advanced"), (20, "held"), (60, "promoted"))
    assert (found.outcomes["promoted"], found.promotions, found.promoted_at) == (1, [60.0], START + 60)


def test_a_recovery_takes_from_the_first_failed_check() -> None:
    found = count((0, "started"), (30, "halted"), (40, "halted"), (45, "rolled-back"))
    assert (found.outcomes["rolled-back"], found.recoveries, found.promoted_at) == (1, [15.0], None)


def test_trouble_of_the_rollout_before_is_no_trouble_of_this_one() -> None:
    found = count((0, "started"), (10, "halted"), (20, "promoted"), (100, "started"), (130, "rolled-back"))
    assert found.recoveries == [0.0]


def test_an_end_that_two_have_noted_counts_once() -> None:
    assert count((0, "started"), (20, "rolled-back"), (21, "rolled-back")).outcomes["rolled-back"] == 1


def test_what_a_person_ended_is_the_only_step_by_hand() -> None:
    found = count((0, "started"), (10, "advanced"), (20, "aborted"), (21, "rolled-back"))
    assert (found.by_machine, found.by_hand, found.outcomes["aborted"]) == (2, 1, 1)


def test_a_counter_is_there_before_the_first_end_so_that_an_increase_sees_it(tmp_path: Path) -> None:
    ledger, registry = Ledger(tmp_path / "ledger.jsonl"), CollectorRegistry()
    for entry in told((0, "started")):
        ledger.add(entry)
    registry.register(DeliveryCollector(ledger))
    text = generate_latest(registry).decode()
    ledger.close()
    assert 'slipway_rollouts_total{model="churn",namespace="models",outcome="rolled-back"} 0.0' in text
    assert "slipway_promoted_timestamp_seconds{" not in text
