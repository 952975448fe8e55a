"""An upgrade from the recorded version: what it changes in whole environments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from projects import Project
from upgrade.comparing import compare, complaints, reviewed
from upgrade.recording import WHOLE, WHOLE_CASES, load, registered

BEFORE = load(WHOLE)


@pytest.mark.parametrize("name", BEFORE)
def test_an_upgrade_changes_nothing_in_an_environment_but_what_was_reviewed(
    name: str, project: Project, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    after = registered(WHOLE_CASES[name], project.root, run, monkeypatch)
    said = complaints(name, compare(BEFORE[name], after), reviewed())
    assert not said, "\n" + "\n".join(said)
