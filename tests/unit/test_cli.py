"""The command line: what it prints where, with which exit code, how fast it answers."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from builders import a_release, a_spec
from typer.testing import CliRunner

from slipway import documents
from slipway.cli import main, output
from slipway.cli.pins import changed_pin
from slipway.cli.root import COMMANDS, EXIT_CODES, Unloaded, app, load
from slipway.cli.stack import plan_rows
from slipway.errors import ExitCode, SlipwayError
from slipway.models.pins import Pin, Pins, Rejection, load_pins
from slipway.models.release import Release, Releases
from slipway.models.spec import load_model_specs
from slipway.planning.environment import EnvironmentPlan, plan_environment
from slipway.rollout.observed import ObservedModel, ObservedService
from slipway.rollout.plan import ModelPlan, Wanted
from slipway.settings.checkout import Checkout
from slipway.settings.stack_file import read_environment

ROOT = Path(__file__).resolve().parents[2]
#: Seconds of processor time that `--help` may take.
HELP_SECONDS = 0.5


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one model, two releases of it, one environment."""
    monkeypatch.setenv("SLIPWAY_PROJECT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for file in ("Pulumi.yaml", "Pulumi.prod.yaml"):
        shutil.copy(ROOT / file, tmp_path / file)
    documents.write(tmp_path / "models" / "churn.yaml", a_spec("churn"))
    for version in (7, 8):
        Releases(tmp_path / "releases").write(a_release(version=version))
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Run `slipway` as its entry point does; returns the exit code."""
    monkeypatch.setattr(sys, "argv", ["slipway", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    return int(code or 0)


def test_help_answers_within_half_a_second_of_processor_time() -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = "import sys; sys.argv = ['slipway', '--help']; from slipway.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert done.returncode == 0
    assert "models" in done.stdout
    assert used < HELP_SECONDS


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("slipway.cli.root", ("requests", "pydantic", "yaml", "rich.table")),
        # The demo trains models itself.
        (", ".join(f"slipway.cli.{module}" for module, _ in COMMANDS.values() if module != "demo"), ()),
    ],
)
def test_the_commands_import_nothing_heavy_before_they_run(modules: str, heavy: tuple[str, ...]) -> None:
    heavy += ("mlflow", "pulumi", "pandas", "sklearn", "numpy", "boto3", "cel_expr_python", "uvicorn")
    code = f"import sys, {modules}; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_has_the_first_sentence_of_each_one_s_help(name: str) -> None:
    command = load(name)
    assert (command.help or "").partition("\n")[0] == COMMANDS[name][1]


def test_a_known_failure_is_one_line_on_stderr_with_its_exit_code(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "pins", "show", "-e", "prdo") == ExitCode.USER
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "slipway: Pulumi.prdo.yaml: no such environment; nearest is prod\n"


def test_a_registry_that_is_away_has_an_exit_code_of_its_own(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{project}/nowhere.db")
    assert run(monkeypatch, "models", "list") == ExitCode.UNREACHABLE
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("code", ExitCode)
def test_help_and_the_page_of_commands_say_what_every_exit_code_means(code: ExitCode) -> None:
    assert f"{int(code)} {code.meaning}" in EXIT_CODES
    assert f"| {int(code)} | {code.meaning} |" in (ROOT / "docs" / "commands.md").read_text()


def commands(group: Any, path: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
    """List the commands below a group."""
    found = []
    for name, command in group.commands.items():
        command = load(name) if isinstance(command, Unloaded) else command
        here = (*path, name)
        found += commands(command, here) if hasattr(command, "commands") else [(" ".join(here), command)]
    return found


#: They run until they are stopped, their answers are served over HTTP.
SERVICES = {"judge", "observe"}


@pytest.mark.parametrize(("name", "command"), commands(typer.main.get_command(app)), ids=lambda each: str(each)[:20])
def test_every_command_can_answer_in_json(name: str, command: Any) -> None:
    assert name in SERVICES or "--json" in {option for each in command.params for option in each.opts}


@pytest.mark.parametrize("named", [["-s", "prod"], ["--stack=prod"], ["-e", "prod"], ["--environment=prod"]])
def test_a_pin_to_a_release_is_written_where_reviews_see_it(project: Path, named: list[str]) -> None:
    stable, candidate = a_release(version=7).id, a_release(version=8).id
    assert CliRunner().invoke(app, ["pins", "set", *named, "churn", stable]).exit_code == 0
    answer = CliRunner().invoke(app, ["pins", "set", *named, "churn", candidate, "--candidate", "--json"])
    assert json.loads(answer.output)["candidate"] == candidate
    assert load_pins(project / "pins" / "prod.yaml").models == {"churn": Pin(stable=stable, candidate=candidate)}


def test_a_pin_to_an_unknown_release_names_the_nearest_and_writes_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "pins", "set", "-e", "prod", "churn", "v9-000000000000") == ExitCode.USER
    assert f"nearest are {a_release(version=8).id}" in capsys.readouterr().err
    assert not (project / "pins").exists()


def test_a_candidate_needs_something_stable_beside_it() -> None:
    with pytest.raises(SlipwayError, match="no stable release to compare a candidate with"):
        changed_pin("here", None, "v8-000000000000", candidate=True)


def test_a_rejected_release_is_never_pinned_again() -> None:
    pin = Pin(stable="v7-000000000000", rejected=(Rejection(release="v8-000000000000", reason="too slow"),))
    with pytest.raises(SlipwayError, match="was rejected: too slow"):
        changed_pin("here", pin, "v8-000000000000", candidate=True)


def test_nothing_moves_while_a_model_is_on_hold() -> None:
    pin = Pin(stable="v7-000000000000", hold="audit until Friday")
    with pytest.raises(SlipwayError, match="nothing may move: audit until Friday"):
        changed_pin("here", pin, "v8-000000000000", candidate=False)


def test_the_stable_release_is_no_candidate() -> None:
    with pytest.raises(SlipwayError, match="stable release already"):
        changed_pin("here", Pin(stable="v7-000000000000"), "v7-000000000000", candidate=True)


def test_a_new_stable_release_takes_the_place_of_the_candidate() -> None:
    pin = Pin(stable="v7-000000000000", candidate="v8-000000000000")
    assert changed_pin("here", pin, "v8-000000000000", candidate=False) == Pin(stable="v8-000000000000")


def test_pins_of_a_model_without_a_spec_are_refused_with_their_line(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stranger = Pins(environment="prod", models={"chrun": Pin(stable="v7-000000000000")})
    documents.write(project / "pins" / "prod.yaml", stranger)
    assert run(monkeypatch, "pins", "verify") == ExitCode.USER
    assert "pins/prod.yaml:5: models.chrun: no model spec models/chrun.yaml" in capsys.readouterr().err


def test_verified_pins_say_which_models_have_none(project: Path) -> None:
    documents.write(project / "models" / "fraud.yaml", a_spec("fraud"))
    CliRunner().invoke(app, ["pins", "set", "-e", "prod", "churn", a_release(version=7).id])
    rows = json.loads(CliRunner().invoke(app, ["pins", "verify", "--json"]).output)
    assert {row["model"]: row["state"] for row in rows} == {
        "churn": "as frozen",
        "fraud": "not pinned, so it does not run there",
    }


def test_releases_are_listed_with_whole_digests_in_json(project: Path) -> None:
    rows = json.loads(CliRunner().invoke(app, ["release", "list", "--json"]).output)
    assert [row["version"] for row in rows] == [7, 8]
    assert rows[0]["digest"] == a_release(version=7).artifact.digest


def test_a_shown_release_is_its_file(project: Path) -> None:
    release = a_release(version=7)
    shown = CliRunner().invoke(app, ["release", "show", "churn", release.id])
    assert shown.output == (project / "releases" / "churn" / f"{release.id}.yaml").read_text()


def test_a_release_is_made_of_a_version_or_of_an_alias(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "release", "create", "churn") == ExitCode.USER
    assert "expected one of --version or --alias" in capsys.readouterr().err


def test_a_change_outside_the_lab_is_not_made_when_nobody_can_be_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "Pulumi.prod.yaml").write_text((ROOT / "Pulumi.prod.yaml").read_text())
    (project / "Pulumi.yaml").write_text((ROOT / "Pulumi.yaml").read_text())
    monkeypatch.setattr("slipway.engine.deploy.Deployment.destroy", lambda *_: pytest.fail("it was destroyed"))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert run(monkeypatch, "destroy", "--stack", "prod") == ExitCode.USER
    assert "use --yes" in capsys.readouterr().err


def a_plan_of(stable: Release, candidate: Release, observed: ObservedModel) -> EnvironmentPlan:
    plan = ModelPlan(stable, candidate, candidate, live=stable)
    return EnvironmentPlan(
        environment=None,  # type: ignore[arg-type]
        specs={},
        wanted={"churn": Wanted(stable, candidate)},
        observed={"churn": observed},
        plans={"churn": plan},
    )


def test_a_plan_says_what_is_created_moved_removed() -> None:
    def service(version: int) -> ObservedService:
        return ObservedService(version, "", ready=True, serving_digest="")

    observed = ObservedModel(7, 7, "Succeeded", {"churn-v7": service(7), "churn-v6": service(6)})
    row = plan_rows(a_plan_of(a_release(version=7), a_release(version=8), observed))[0]
    assert row["up would"] == ["create v8", "move the target from v7 to v8", "remove v6"]


def test_a_table_in_a_pipe_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    output.show([{"model": "churn", "reason": "x" * 300}], as_json=False)
    printed = capsys.readouterr().out
    assert "x" * 300 in printed
    assert "\x1b" not in printed


def test_a_short_digest_keeps_its_kind() -> None:
    assert output.short("sha256:" + "a" * 64) == "sha256:" + "a" * 12


def test_a_demo_whose_answers_differ_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("slipway.cli.demo._run", lambda: {"equal": False, "problems": []})
    assert run(monkeypatch, "demo", "--json") == 1
    assert "differs from the model's own" in capsys.readouterr().err


def test_an_interrupted_demo_ends_as_shells_expect(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("slipway.cli.demo._run", interrupt)
    assert run(monkeypatch, "demo") == 130
    assert "it goes on from here" in capsys.readouterr().err


def test_the_project_s_own_pins_are_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_PROJECT", str(ROOT))
    rows = json.loads(CliRunner().invoke(app, ["pins", "verify", "--json"]).output)
    assert {row["environment"] for row in rows} == {"staging", "prod"}
    assert all(row["state"] == "as frozen" for row in rows)


@pytest.mark.parametrize("stack", ["staging", "prod"])
def test_the_project_s_own_pinned_environments_compile_every_model(stack: str) -> None:
    found = plan_environment(Checkout(ROOT), read_environment(ROOT, stack), None)
    assert found.problems == ()
    assert list(found.compiled) == sorted(load_model_specs(ROOT / "models"))
