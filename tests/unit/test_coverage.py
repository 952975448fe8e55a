"""The page that says what of the sources is there."""

import re

from projects import CHECKOUT

STATES = {"there", "in part", "not yet", "declined"}
ROW = re.compile(r"\| ([AB][0-9]+) \| (.+?) \| (.+?) \| (.*?) \| (.*?) \|")
TEXT = (CHECKOUT / "docs/coverage.md").read_text()
ROWS = {found[1]: found for found in ROW.finditer(TEXT)}


def test_every_row_of_the_sources_stands_there_once():
    assert list(ROWS) == [*(f"A{n}" for n in range(1, 40)), *(f"B{n}" for n in range(1, 98))]
    assert len(ROWS) == len(re.findall(r"^\| [AB][0-9]", TEXT, re.MULTILINE))
    assert {found[3] for found in ROWS.values()} == STATES


def test_what_is_there_names_a_test_that_shows_it():
    assert [row for row, found in ROWS.items() if found[3] == "there" and "`tests/" not in found[5]] == []


def test_the_files_that_are_named_exist():
    named = {
        path for found in ROWS.values() for path in re.findall(r"`([\w./-]+/[\w./-]*|Pulumi\.\w+\.yaml)`", found[0])
    }
    assert len(named) > 50
    assert sorted(path for path in named if not (CHECKOUT / path).exists()) == []


def test_the_sums_are_right():
    said = re.findall(r"([0-9]+) (?:are )?(there|in part|not yet|declined)", TEXT.partition("| row")[0])
    assert {state: int(number) for number, state in said} == {
        state: sum(found[3] == state for found in ROWS.values()) for state in STATES
    }
