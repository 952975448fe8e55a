"""What is told of a Pulumi that fails before it runs a program."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.engine.deploy import Deployment, gist
from slipway.engine.program import OUTCOME, read_outcome, write_outcome
from slipway.errors import ExitCode, SlipwayError


def a_pulumi(directory: Path, failure: str) -> dict[str, str]:
    """Write a `pulumi` that can only say its version; returns an environment that has it."""
    file = directory / "bin" / "pulumi"
    file.parent.mkdir()
    file.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo v3.250.0 && exit\n{failure}\nexit 255\n')
    file.chmod(0o755)
    (directory / "Pulumi.yaml").write_text("name: slipway\nruntime: python\n")
    return {**os.environ, "PATH": f"{file.parent}{os.pathsep}{os.environ['PATH']}", "PULUMI_BACKEND_URL": "file://~"}


def test_the_engine_s_own_first_line_is_told(tmp_path: Path) -> None:
    env = a_pulumi(tmp_path, "echo 'error: could not create stack: the disk is made of cheese' >&2")
    with pytest.raises(SlipwayError) as told:
        Deployment(tmp_path, "local", env).preview()
    assert str(told.value) == "could not create stack: the disk is made of cheese"
    assert told.value.exit_code is ExitCode.USER


@given(code=st.sampled_from(list(ExitCode)), said=st.text())
def test_an_outcome_is_read_as_it_was_written_whatever_its_text_says(code: ExitCode, said: str) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        file = Path(directory) / "outcome.json"
        assert read_outcome(file) is None
        patch.setenv(OUTCOME, str(file))
        write_outcome(SlipwayError(said, code))
        read = read_outcome(file)
    assert read is not None
    assert (str(read), read.exit_code) == (said, code)


@pytest.mark.parametrize("code", [ExitCode.USER, ExitCode.UNREACHABLE, ExitCode.BUSY])
def test_the_program_s_exit_code_is_its_value_and_not_its_wording(tmp_path: Path, code: ExitCode) -> None:
    said = "x: cannot be reached; it has not been deployed, so the target cannot move"
    outcome = json.dumps({"exit_code": int(code), "message": said})
    # What runs a program is its preview; to select the stack runs none.
    env = a_pulumi(
        tmp_path, f"[ \"$2\" = stack ] && exit; echo '{outcome}' > \"$SLIPWAY_OUTCOME\"; echo 'error: {said}' >&2"
    )
    with pytest.raises(SlipwayError) as raised:
        Deployment(tmp_path, "local", env).preview()
    assert (str(raised.value), raised.value.exit_code) == (said, code)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("x: cannot be reached; it has not been deployed, so the target cannot move", ExitCode.USER),
        ("configured Kubernetes cluster is unreachable: no route to host", ExitCode.UNREACHABLE),
    ],
)
def test_what_the_engine_says_is_matched_on_its_own_markers(tmp_path: Path, said: str, code: ExitCode) -> None:
    with pytest.raises(SlipwayError) as raised:
        Deployment(tmp_path, "local", a_pulumi(tmp_path, f"echo 'error: {said}' >&2")).preview()
    assert raised.value.exit_code is code


def test_a_model_is_held_back_by_the_run_that_is_asked_to(tmp_path: Path) -> None:
    env = a_pulumi(tmp_path, '[ "$2" = stack ] && exit; echo "error: holds $SLIPWAY_HELD_BACK" >&2')
    with pytest.raises(SlipwayError, match=r"holds churn$"):
        Deployment(tmp_path, "local", env).up(held_back="churn")
    with pytest.raises(SlipwayError, match=r"holds$"):
        Deployment(tmp_path, "local", env).up()


def test_an_engine_that_says_nothing_is_told_with_the_stack_s_name(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match="stack local: failed"):
        Deployment(tmp_path, "local", a_pulumi(tmp_path, "")).preview()


def test_a_machine_without_pulumi_is_told_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match="pulumi: not on PATH") as told:
        Deployment(tmp_path, "local", {"PATH": str(tmp_path), "PULUMI_BACKEND_URL": "file://~"}).preview()
    assert told.value.exit_code is ExitCode.MACHINE


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ("1 error occurred:\n\t* models/churn: pods are not ready\n\n", "models/churn: pods are not ready"),
        ("error: 2 errors occurred:\n\t* one\n\t* two", "one"),
        ("resource failed\n  because of this", "resource failed"),
        ("1 error occurred:", "1 error occurred:"),
    ],
)
def test_of_several_lines_the_one_that_says_it_is_kept(said: str, line: str) -> None:
    assert gist(said) == line


def test_the_engine_is_told_not_to_fetch_plugins_that_a_stack_does_not_use(tmp_path: Path) -> None:
    env = a_pulumi(tmp_path, 'echo "error: skip=$PULUMI_OPTION_SKIP_PLUGIN_PRE_INSTALL" >&2')
    with pytest.raises(SlipwayError, match="skip=true"):
        Deployment(tmp_path, "local", env).preview()
