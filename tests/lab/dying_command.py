"""Runs a command of `slipway rollout` that is killed after a step: `dying_command.py rollback churn ledger`."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from slipway.cli.root import app
from slipway.delivery import rejection, rollback, settle
from slipway.delivery.abort import take_back
from slipway.delivery.steps import Step

COMMAND, MODEL, LAST = sys.argv[1:]


def die_after(name: str, result: Any) -> Any:
    """Kill this process if that was the last step."""
    if name == LAST:
        os.kill(os.getpid(), signal.SIGKILL)
    return result


def step(name: str, do: Any, **more: Any) -> Step:
    """Make a step that is followed by a look at whether to die."""
    return Step(name, lambda: die_after(name, do()), **more)


rejection.Step = settle.Step = step  # type: ignore[misc, assignment]
rollback.take_back = lambda *arguments: die_after("abort", take_back(*arguments))
app(["rollout", COMMAND, MODEL, "--stack=staging"])
