"""Ledgers that an older Slipway wrote (tests/upgrade/ledgers: lines of commit b6f7db4, entries without a schema)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from judging import START, a_look

from slipway.delivery import history
from slipway.delivery import ledger as actions
from slipway.errors import SlipwayError
from slipway.judge.answers import Judge
from slipway.judge.delivery import delivered
from slipway.judge.ledger import SCHEMA, Entry, Ledger
from slipway.times import stamp

LEDGERS = Path(__file__).parents[1] / "upgrade" / "ledgers"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(Path(shutil.copy(LEDGERS / "judge.jsonl", tmp_path / "judge.jsonl")))


def test_the_judges_ledger_of_version_1_tells_both_rollouts(ledger: Ledger) -> None:
    lines = [json.loads(line) for line in ledger.path.read_text().splitlines()]
    noted = history.noted_in_ledger(lines, "models", "churn")
    found = history.decisions(noted, START, START + 200)
    assert [(each.kind, each.weight) for each in found] == [
        *(("started", 0), ("advanced", 50), ("held", 50), ("halted", 50), ("advanced", 100), ("held", 100)),
        *(("promoted", 100), ("started", 100), ("advanced", 50), ("aborted", 0)),
    ]
    assert found[-1].reason == "the invoices are wrong"
    assert history.candidate(noted, START + 90, START + 200, "churn") == 3
    counted = delivered(ledger.entries())["models", "churn"]
    assert (counted.promotions, counted.outcomes["aborted"], counted.by_hand) == ([80.0], 1, 1)


def test_a_candidate_that_version_1_allowed_to_all_users_stays_allowed(ledger: Ledger) -> None:
    judge = Judge(None, None, ledger)  # type: ignore[arg-type]
    promoted = a_look(candidate=None, candidate_version=None, stable="churn-v2", stable_version=2).run
    assert judge._vetted(promoted)
    assert not judge._vetted(a_look(candidate=None, stable="churn-v1").run)


def test_what_is_added_to_a_ledger_of_version_1_carries_the_schema(ledger: Ledger) -> None:
    before = ledger.path.read_bytes()
    added = Entry(stamp(START + 300), "models", "churn", "held", "churn-v4: waits", weight=0, cause="not-ready")
    assert ledger.add(added)
    ledger.close()
    assert ledger.path.read_bytes().startswith(before)
    assert json.loads(ledger.path.read_text().splitlines()[-1])["schema"] == SCHEMA
    assert Ledger(ledger.path).entries()[-1] == added


def test_the_ledger_of_an_environment_of_version_1_is_read_and_continued(tmp_path: Path) -> None:
    path = Path(shutil.copy(LEDGERS / "prod.jsonl", tmp_path / "prod.jsonl"))
    before = list(actions.entries(path))
    assert [each.action for each in before] == ["settled", "aborted", "retried", "rejected"]
    assert (before[-1].release, before[-1].reason) == ("v9-cccccccccccc", "the invoices are wrong")
    assert not actions.note(path, before[-1]), "the same action on the same release is noted once, whatever wrote it"
    again = before[-1].model_copy(update={"action": "settled"})
    assert actions.note(path, again)
    last = json.loads(path.read_text().splitlines()[-1])
    assert (last["schema"], last["action"], "deed" in last) == (actions.SCHEMA, "settled", False)
    assert list(actions.entries(path)) == [*before, again]


def test_an_entry_of_a_newer_slipway_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "prod.jsonl"
    path.write_text('{"schema": 3, "at": "2026-11-21T10:00:00Z"}\n')
    with pytest.raises(SlipwayError, match=r"prod.jsonl:1: schema: expected 2, got 3; .* update this one$"):
        list(actions.entries(path))
