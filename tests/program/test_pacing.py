"""How resources are handed over."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import pulumi
import pytest

from stacks import pacing


def test_no_more_models_than_the_window_are_ever_unfinished_and_all_are_finished():
    unfinished = finished = most = 0

    async def one() -> None:
        nonlocal unfinished, finished, most
        unfinished += 1
        most = max(most, unfinished)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        unfinished -= 1
        finished += 1

    asyncio.run(pacing.paced([one] * (3 * pacing.WINDOW)))
    assert (most, finished) == (pacing.WINDOW, 3 * pacing.WINDOW)


def test_one_that_never_ends_keeps_one_place_and_not_those_behind_it():
    async def scenario() -> int:
        stuck, finished = asyncio.Event(), 0

        async def one() -> None:
            nonlocal finished
            finished += 1

        async def last() -> None:
            stuck.set()

        async def never() -> None:
            await stuck.wait()

        await asyncio.wait_for(pacing.paced([never, *[one] * (2 * pacing.WINDOW), last]), timeout=10)
        return finished

    assert asyncio.run(scenario()) == 2 * pacing.WINDOW


@pytest.fixture
def debug(monkeypatch):
    def said(*args: object) -> None:
        raise AssertionError

    monkeypatch.setattr(pulumi.log, "debug", said)
    monkeypatch.delenv(pacing.SDK_DEBUG, raising=False)
    return said


def test_debug_messages_are_kept_from_the_engine(debug):
    pacing.quiet()
    pulumi.log.debug("not sent")


def test_debug_messages_are_sent_when_the_variable_asks_for_them(debug, monkeypatch):
    monkeypatch.setenv(pacing.SDK_DEBUG, "1")
    pacing.quiet()
    assert pulumi.log.debug is debug


@pytest.mark.parametrize(("flag", "sent"), [("--debug", True), ("-d", True), ("--diff", False)])
def test_debug_messages_are_sent_when_pulumi_was_started_to_show_them(tmp_path: Path, flag: str, sent: bool):
    program = (
        "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c',"
        " 'import sys; from stacks import pacing; sys.exit(pacing._debugging())']))"
    )
    # A process called pulumi, with a language host between it and the program, as in a real run.
    pulumi_cli = tmp_path / "pulumi"
    pulumi_cli.symlink_to(sys.executable)
    root = Path(pacing.__file__).parents[1]
    done = subprocess.run([str(pulumi_cli), "-c", program, "preview", flag], cwd=root, env={"PYTHONPATH": str(_site())})
    assert bool(done.returncode) is sent


def _site() -> Path:
    return Path(pulumi.__file__).parents[1]
