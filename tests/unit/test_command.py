"""The commands of the two services, which run in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from typer.testing import CliRunner

from slipway.cli.root import app
from slipway.command import address
from slipway.errors import ExitCode, SlipwayError


@pytest.mark.parametrize(
    ("listen", "expected"),
    [("127.0.0.1:9092", ("127.0.0.1", 9092)), ("[::1]:0", ("::1", 0)), ("judge.local:65535", ("judge.local", 65535))],
)
def test_an_address_is_a_host_and_a_port(listen: str, expected: tuple[str, int]) -> None:
    assert address(listen) == expected


@pytest.mark.parametrize("listen", ["", "9091", ":9091", "host:", "host:http", "host:65536", "host:²"])
def test_anything_else_is_refused_with_an_example(listen: str) -> None:
    with pytest.raises(SlipwayError, match=r"^--listen: expected <host>:<port>, as 127\.0\.0\.1:9092, got "):
        address(listen)


@pytest.mark.parametrize("name", ["judge", "observe"])
def test_a_service_is_started_with_the_options_as_they_were_given(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []
    monkeypatch.setattr(os, "execv", lambda *arguments: started.append(arguments))
    options = ["--listen=[::1]:1", "--help", "--ledger", "a b"]
    assert CliRunner().invoke(app, [name, *options]).exit_code == 0
    assert started == [(sys.executable, [sys.executable, "-m", f"slipway.{name}", *options])]


def test_a_service_says_what_is_wrong_in_one_line() -> None:
    command = [sys.executable, "-m", "slipway.observe", "--listen=nowhere"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (ExitCode.USER, "", 1)
    assert done.stderr.startswith("slipway: --listen: expected <host>:<port>")
