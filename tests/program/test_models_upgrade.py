"""An upgrade from the recorded version: what it changes about models; tests/upgrade has the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from projects import Project
from upgrade.comparing import compare, complaints, reviewed
from upgrade.recording import LAB_CASE, MODEL_CASES, MODELS, WHOLE_CASES, load, registered

BEFORE = load(MODELS)


@pytest.mark.parametrize("name", BEFORE)
def test_an_upgrade_changes_nothing_about_a_model_but_what_was_reviewed(
    name: str, project: Project, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    after = registered(MODEL_CASES[name], project.root, run, monkeypatch)
    said = complaints(name, compare(BEFORE[name], after), reviewed())
    assert not said, "\n" + "\n".join(said)


def test_every_case_was_recorded_and_every_reviewed_difference_is_of_one() -> None:
    assert set(BEFORE) == set(MODEL_CASES)
    assert {case for each in reviewed() for case in each.cases} <= {*MODEL_CASES, *WHOLE_CASES, LAB_CASE}
