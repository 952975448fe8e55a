"""Keeping processes alive, relaying: asyncio, with small shell scripts for components."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from slipway.errors import ExitCode, SlipwayError
from slipway.lab import processes, relay, state
from slipway.lab.processes import Component, Processes


@contextlib.asynccontextmanager
async def supervision(directory: Path, seen: list[str]) -> AsyncIterator[Processes]:
    """Supervise for a while; the signal handler goes with the loop."""

    def changed() -> None:
        seen.extend(entry.state for entry in found.running.values())

    found = Processes(lambda name: directory / f"{name}.log", changed)
    try:
        yield found
    finally:
        for name in found.running:
            await found.stop(name)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGCHLD)


def component(script: str, ready: Callable[[], bool] = lambda: True, stop_seconds: float = 5) -> Component:
    return Component("it", ("/bin/sh", "-c", script), ready, {"PATH": os.environ["PATH"]}, stop_seconds)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "LOOK", 0.01)
    monkeypatch.setattr(processes, "BACK_OFF", 0.01)


def test_a_start_returns_when_the_component_says_ready(tmp_path: Path) -> None:
    async def run() -> None:
        seen: list[str] = []
        async with supervision(tmp_path, seen) as supervised:
            flag = tmp_path / "flag"
            await supervised.start(component(f"echo started; touch {flag}; exec sleep 60", flag.exists))
            assert seen == ["starting", "ready"]
            pid = supervised.running["it"].pid
            assert state.start_time(pid)
            await supervised.stop("it")
            assert state.start_time(pid) is None
            assert seen[-1] == "stopped"
        assert (tmp_path / "it.log").read_text() == "started\n"

    asyncio.run(run())


def test_a_component_that_dies_runs_again(tmp_path: Path) -> None:
    async def run() -> None:
        seen: list[str] = []
        async with supervision(tmp_path, seen) as supervised:
            await supervised.start(component("exec sleep 60"))
            first = supervised.running["it"].pid
            os.kill(first, signal.SIGKILL)
            async with asyncio.timeout(10):
                while seen != ["starting", "ready", "restarting", "starting", "ready"]:
                    await asyncio.sleep(0.01)
            assert supervised.running["it"].restarts == 1
            assert supervised.running["it"].pid != first

    asyncio.run(run())


def test_a_component_that_dies_before_it_is_ready_fails_after_three_attempts(tmp_path: Path) -> None:
    async def run() -> None:
        seen: list[str] = []
        async with supervision(tmp_path, seen) as supervised:
            with pytest.raises(SlipwayError, match="it ended with exit code 3, 3 times") as failed:
                await supervised.start(component("echo no; exit 3", lambda: False))
            assert failed.value.exit_code == ExitCode.MACHINE
        assert (tmp_path / "it.log").read_text() == "no\n" * 3

    asyncio.run(run())


def test_a_component_that_is_never_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "START_LIMIT", 0.1)

    async def run() -> None:
        async with supervision(tmp_path, []) as supervised:
            with pytest.raises(SlipwayError, match="it was not ready after"):
                await asyncio.wait_for(supervised.start(component("exec sleep 60", lambda: False)), 2)

    asyncio.run(run())


def test_a_component_that_does_not_heed_is_killed(tmp_path: Path) -> None:
    async def run() -> None:
        async with supervision(tmp_path, []) as supervised:
            flag = tmp_path / "flag"
            script = f"trap '' TERM; touch {flag}; while :; do sleep 0.05; done"
            await supervised.start(component(script, flag.exists, stop_seconds=0.2))
            pid = supervised.running["it"].pid
            await supervised.stop("it")
            assert state.start_time(pid) is None

    asyncio.run(run())


def test_a_child_does_not_inherit_that_python_ignores_broken_pipes(tmp_path: Path) -> None:
    async def run() -> None:
        async with supervision(tmp_path, []) as supervised:
            flag = tmp_path / "flag"
            script = f"grep SigIgn /proc/self/status; touch {flag}; exec sleep 60"
            await supervised.start(component(script, flag.exists))
        ignored = int((tmp_path / "it.log").read_text().split()[1], 16)
        assert not ignored & 1 << signal.SIGPIPE - 1

    asyncio.run(run())


def test_the_relay_carries_both_directions_and_half_closes() -> None:
    async def run() -> None:
        async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            # Answers only when the client has ended its side.
            writer.write(str(len(await reader.read(-1))).encode())
            writer.close()

        target = await asyncio.start_server(count, "127.0.0.1", 0)
        listener = socket.create_server(("127.0.0.1", 0))
        server = await relay.serve(listener, *target.sockets[0].getsockname())
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"x" * 1_000_000)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(-1), 5) == b"1000000"
        writer.close()
        server.close()
        target.close()

    asyncio.run(run())


def test_the_relay_closes_a_connection_when_nothing_answers_behind_it() -> None:
    async def run() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        with socket.create_server(("127.0.0.1", 0)) as closed:
            free = closed.getsockname()
        server = await relay.serve(listener, *free)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        assert await asyncio.wait_for(reader.read(-1), 5) == b""
        writer.close()
        server.close()

    asyncio.run(run())
