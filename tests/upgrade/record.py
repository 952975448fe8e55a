"""Records what this checkout registers, as the state that later ones are compared with.

    .venv/bin/python -m pytest -q tests/upgrade/record.py

It writes `recorded/*.json.xz` from the files beside it (settings, models, releases, pins), which stay those
of the recorded version. When that is right:

- never to make a test pass. A later change that means to change the state adds an entry to
  `differences.yaml`, with its reason; who reviews it asks what happens to an environment that runs. A deletion, a
  replacement, a restart, a rollout cannot be listed: it needs another way, an alias for a new name, a field beside the
  old one.
- when upgrades from the recorded version are no longer promised: check out the oldest version from which they are,
  copy its settings, models, releases and pins here, copy this directory with `tests/recorder.py` and
  `tests/states.py` there, run this, and bring the result back; the list of differences begins again from the entries
  that still occur.
- when a case is added to `recording.py`: the same, in a checkout of the recorded version (b6f7db4).

`recorded/local` is stack `local` as it ran in the lab: its state, its release, the bytes of its model.
`tests/lab/record_local.py` writes it, under the same rules, in a checkout of the recorded version that has a copy of
that file; `tests/lab/test_upgrade_local.py` deploys this checkout over it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from projects import Project
from upgrade.recording import MODEL_CASES, MODELS, WHOLE, WHOLE_CASES, Case, dump, load, registered


@pytest.mark.parametrize(("cases", "file"), [(MODEL_CASES, MODELS), (WHOLE_CASES, WHOLE)])
def test_record(
    cases: Mapping[str, Case], file: Path, project: Project, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {name: registered(case, project.root, run, monkeypatch) for name, case in cases.items()}
    dump(found, file)
    assert load(file) == found
