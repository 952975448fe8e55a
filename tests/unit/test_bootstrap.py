"""Setting up `.venv`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from slipway import bootstrap


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with pins; every command that is run is noted, none is started."""
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(bootstrap, "CHECKOUT", tmp_path)
    return tmp_path


@pytest.fixture
def commands(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    ran: list[tuple[str, ...]] = []

    def note(*command: str) -> None:
        (checkout / ".venv").mkdir(exist_ok=True)
        ran.append(command)

    monkeypatch.setattr(bootstrap, "_run", note)
    return ran


def test_an_old_python_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    assert bootstrap.main([]) == 5
    said = capsys.readouterr().err
    assert "Python 3.9" in said
    assert said.count("\n") == 1


def test_a_second_run_does_nothing(commands: list[tuple[str, ...]]) -> None:
    bootstrap.main([])
    first = len(commands)
    bootstrap.main([])
    assert len(commands) == first == 2


def test_a_changed_pin_installs_again_into_the_same_environment(
    checkout: Path, commands: list[tuple[str, ...]]
) -> None:
    bootstrap.main([])
    (checkout / "constraints.txt").write_text("changed")
    bootstrap.main([])
    assert ["venv" in command for command in commands] == [True, False, False]


def test_an_environment_for_tests_serves_the_program_too(commands: list[tuple[str, ...]]) -> None:
    bootstrap.main(["--dev"])
    bootstrap.main([])
    assert len(commands) == 2


def test_an_environment_for_the_program_is_completed_for_tests(commands: list[tuple[str, ...]]) -> None:
    bootstrap.main([])
    bootstrap.main(["--dev"])
    assert "requirements-dev.txt" in commands[-1]


def test_an_interrupted_environment_is_made_anew(checkout: Path, commands: list[tuple[str, ...]]) -> None:
    (checkout / ".venv").mkdir()
    bootstrap.main([])
    assert "--clear" in commands[0]


def test_a_failed_install_says_why_and_leaves_no_stamp(
    checkout: Path, commands: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrap.main([])
    (checkout / "constraints.txt").write_text("changed")
    monkeypatch.setattr(bootstrap, "_run", lambda *command: "ERROR: no matching distribution")
    assert bootstrap.main([]) == 5
    assert "no matching distribution" in capsys.readouterr().err
    assert not list((checkout / ".venv").glob("*.installed"))
