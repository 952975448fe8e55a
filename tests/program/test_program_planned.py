"""`slipway plan`, `slipway render`, `preview` and `up` decide the same, for any environment and any cluster."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import yaml
from builders import a_release
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from states import CANDIDATE, STABLE, seen
from typer.testing import CliRunner

from slipway import registry
from slipway.cli.root import app
from slipway.engine.program import OUTCOME
from slipway.errors import ExitCode, NotYet, SlipwayError
from slipway.models import spec
from slipway.models.pins import Pin
from slipway.models.release import version_of
from slipway.rollout import cluster
from slipway.rollout.observed import ObservedModel
from slipway.settings import stack_file

STACK = "one"
#: The other model, which is a shard's neighbour.
OTHER = a_release("fraud", 8)
AWAY = SlipwayError("cluster x: cannot be asked", ExitCode.UNREACHABLE)
#: What a cluster shows of `churn`, or why it shows nothing.
CLUSTERS: Mapping[str, Mapping[str, ObservedModel] | SlipwayError] = {
    "empty": {"churn": ObservedModel()},
    "stable": seen(7, 7, "Succeeded", 7),
    "both": seen(7, 7, "Succeeded", 7, 8),
    "rolling out": seen(7, 8, "Progressing", 7, 8),
    "failed": seen(7, 8, "Failed", 7, 8),
    # Without what runs: a tree is refused where that has other serving settings than are compiled here.
    "stable, to be rendered": seen(7, 7, "Succeeded"),
    "failed, to be rendered": seen(7, 8, "Failed"),
    "promoted": seen(8, 8, "Succeeded", 7, 8),
    "busy": seen(7, 7, "Progressing", 7),
    "applied by Argo CD": {"churn": replace(seen(7, 7, "Succeeded", 7)["churn"], appliers=frozenset({"Argo CD"}))},
    "applied by Pulumi": {"churn": replace(seen(7, 7, "Succeeded", 7)["churn"], appliers=frozenset({"Pulumi"}))},
    "away": AWAY,
    "refuses": SlipwayError("cluster x: Forbidden"),
    "not made yet": NotYet("cluster x does not exist yet"),
}
#: What the artifact store says of a release's bytes.
STORES: Mapping[str, SlipwayError | None] = {
    "as pinned": None,
    "away": SlipwayError("s3://b: no answer", ExitCode.UNREACHABLE),
    "changed": SlipwayError("releases/churn: other bytes"),
}


@dataclass(frozen=True)
class Case:
    """One environment with what surrounds it."""

    follows: bool = False
    delivery: str = "direct"
    models: tuple[str, ...] = ("*",)
    layers: tuple[str, ...] = ("platform", "metrics", "models")
    #: Version that the stack before this one serves; None where there is no such stack, 0 where it is away.
    before: int | None = None
    candidate: bool = True
    steps: tuple[int, ...] = (10, 50)
    cluster: str = "stable"
    store: str = "as pinned"
    held_back: bool = False

    def settings(self) -> dict[str, Any]:
        """What the stack sets beside staging's own settings."""
        gitops = {"repository": "https://git.example.com/manifests.git"} if self.delivery == "gitops" else {}
        return {
            "releases": "follow" if self.follows else "pinned",
            "namespace": "elsewhere",
            "delivery": self.delivery,
            "gitops": gitops,
            "models": list(self.models),
            "layers": list(self.layers),
            "platform_stack": "" if len(self.layers) == 3 else "staging",
            **({"pins": "staging", "after": "before"} if self.before is not None and not self.follows else {}),
        }


CASES = st.builds(
    Case,
    follows=st.booleans(),
    delivery=st.sampled_from(["direct", "gitops"]),
    models=st.sampled_from([("*",), ("churn",), ("c*", "fraud"), ("chrun",)]),
    layers=st.sampled_from([("platform", "metrics", "models"), ("metrics", "models"), ("metrics",)]),
    before=st.sampled_from([None, None, 0, 7, 8]),
    candidate=st.booleans(),
    steps=st.sampled_from([(10, 50), (10, 50), (50, 10)]),
    cluster=st.sampled_from(list(CLUSTERS)),
    store=st.sampled_from(list(STORES)),
    held_back=st.booleans(),
)


class World:
    """A project with clusters, a registry and a store that show what a case says."""

    def __init__(self, project: Any, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self.run, self.patch = project, run, monkeypatch
        self.case = Case()
        monkeypatch.setenv("SLIPWAY_PROJECT", str(project.root))
        monkeypatch.setattr(registry, "Registry", lambda uri: self)
        monkeypatch.setattr(registry, "verify", self.verify)
        monkeypatch.setattr(cluster, "connect", lambda environment, root: environment.name)
        monkeypatch.setattr(cluster, "observe", self.observe)
        monkeypatch.setattr("stacks.joined.check", self.joined)
        project.releases([STABLE, CANDIDATE, OTHER])

    def set(self, case: Case) -> None:
        """Write the files of a case."""
        self.case, root = case, self.project.root
        for model in ("churn", "fraud"):
            self.project.spec(model, rollout={"requests_per_second": 20, "steps": case.steps})
        churn = Pin(stable=STABLE.id, candidate=CANDIDATE.id if case.candidate else None)
        for name in (STACK, "staging"):
            self.project.pins(name, churn=churn, fraud=Pin(stable=OTHER.id))
        base = yaml.safe_load((root / "Pulumi.staging.yaml").read_text())["config"]
        for name, changes in ((STACK, case.settings()), ("before", {"pins": "staging", "namespace": "first"})):
            content = base | {f"slipway:{key}": value for key, value in changes.items()}
            (root / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": content}))
        shutil.rmtree(root / "manifests", ignore_errors=True)

    async def joined(self, environment: Any) -> None:
        """Find the stack under this one."""

    def verify(self, release: Any) -> None:
        """Hash a release's bytes."""
        if error := STORES[self.case.store]:
            raise error

    def observe(self, kube: str, namespace: str, models: Iterable[str]) -> dict[str, ObservedModel]:
        """Show the models of a stack's cluster."""
        fraud = {"fraud": replace(seen(8, 8, "Succeeded", 8)["churn"], services={})}
        if kube == "before":
            if not self.case.before:
                raise AWAY
            shown: Any = {**fraud, "churn": ObservedModel(self.case.before)}
        else:
            shown = CLUSTERS[self.case.cluster]
            if isinstance(shown, SlipwayError):
                raise shown
            shown = {**fraud, **shown}
        return {name: shown[name] for name in models}

    def resolve(self, specs: Any, alias: str) -> dict[str, Any]:
        """Return the releases that the alias names."""
        return {name: a_release(name, 8 if self.case.candidate or name == "fraud" else 7) for name in specs}

    def running(self, specs: Any, versions: Any) -> dict[str, Any]:
        """Return the releases of versions."""
        return {name: a_release(name, version) for name, version in versions.items()}

    def rejections(self, environment: str) -> dict[str, Any]:
        """Return no rejections."""
        return {}

    def planned(self, *arguments: str) -> tuple[int, list[str], Any]:
        """Run a command with --json; returns its exit code, its errors and its answer."""
        answer = CliRunner().invoke(app, [*arguments, "-s", STACK, "--json"])
        error = answer.exception
        if error is not None and not isinstance(error, SlipwayError | SystemExit):
            raise error
        code = int(error.exit_code) if isinstance(error, SlipwayError) else answer.exit_code
        lines = str(error).splitlines() if isinstance(error, SlipwayError) else []
        return code, lines, json.loads(answer.stdout) if answer.stdout else None

    def ran(self, *, preview: bool, held_back: str | None = None) -> tuple[int, list[str], Any]:
        """Run the program; returns the exit code that it reports, its errors and the run."""
        outcome = self.project.root / "outcome.json"
        outcome.unlink(missing_ok=True)
        self.patch.setenv(OUTCOME, str(outcome))
        if held_back:
            self.patch.setenv("SLIPWAY_HELD_BACK", held_back)
        else:
            self.patch.delenv("SLIPWAY_HELD_BACK", raising=False)
        ran = self.run(STACK, preview=preview, settings=self.case.settings())
        code = json.loads(outcome.read_text())["exit_code"] if outcome.exists() else 0
        assert (ran.exit_status is None) == (code == 0)
        return code, ran.said.get("error", []), ran


def declared(ran: Any) -> dict[str, tuple[set[int], int]]:
    """Return the versions that a run of the program declares of each model, with the version of its target."""
    found = dict[str, tuple[set[int], int]]()
    services = [one.name for one in ran.objects if one.type.endswith(":InferenceService")]
    for model in [one.name for one in ran.objects if one.type.endswith(":Canary")]:
        versions = {int(name.rpartition("-v")[2]) for name in services if name.startswith(f"{model}-v")}
        selected = ran.one("Service", model).inputs["spec"]["selector"]["app"].removeprefix(f"isvc.{model}-v")
        found[model] = versions, int(selected.removesuffix("-predictor"))
    return found


def promised(rows: Any, shown: Mapping[str, ObservedModel] | SlipwayError) -> dict[str, tuple[set[int], int]]:
    """Return the same from the rows of `slipway plan`."""
    found = dict[str, tuple[set[int], int]]()
    for row in rows:
        model = shown.get(row["model"]) if isinstance(shown, Mapping) else None
        there = {each.version for each in model.services.values()} if model else set()
        for does in row["up would"]:
            verb, _, version = does.partition(" v")
            there |= {int(version)} if verb == "create" else set()
            there -= {int(version)} if verb == "remove" else set()
        found[row["model"]] = there, version_of(row["target"])
    return found


def unwritten(ran: Any) -> list[str]:
    """Return the notices of files that are not as a run of the program would have them."""
    return [said for said in ran.said.get("info", []) if said.endswith((": to add", ": to change", ": to remove"))]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@example(Case(follows=True, models=("churn",)))
@example(Case(follows=True, models=("churn",), cluster="failed", held_back=True))
@example(Case(before=7))
@example(Case(before=8))
@example(Case(cluster="busy", steps=(50, 10)))
@example(Case(cluster="empty", store="away"))
@example(Case(cluster="empty", store="changed", delivery="gitops"))
@example(Case(cluster="not made yet"))
@example(Case(cluster="away"))
@example(Case(delivery="gitops"))
@example(Case(delivery="gitops", cluster="stable, to be rendered", held_back=True))
@example(Case(delivery="gitops", cluster="failed, to be rendered", held_back=True))
@example(Case(delivery="gitops", cluster="applied by Pulumi"))
@example(Case(cluster="applied by Argo CD"))
@given(case=CASES)
def test_what_is_planned_is_what_is_declared_and_refused(project, run, monkeypatch, case: Case) -> None:
    world = World(project, run, monkeypatch)
    world.set(case)
    code, errors, plan = world.planned("plan")
    previewed = world.ran(preview=True)
    assert (code, errors) == previewed[:2]
    if plan is not None:
        said = previewed[2].said
        assert [plan["notices"], plan["warnings"]] == [said.get("info", []), said.get("warning", [])]
    if plan is not None and code == 0 and case.delivery == "direct" and "models" in case.layers:
        assert promised(plan["models"], CLUSTERS[case.cluster]) == declared(previewed[2])
    if case.delivery == "gitops" and "models" in case.layers:
        held = "churn" if case.held_back else None
        upped = world.ran(preview=False, held_back=held)
        code, errors, rendered = world.planned("render", *(("--hold-back", held) if held else ()))
        assert (code, errors) == upped[:2]
        if code == 0:
            assert unwritten(upped[2]) == [f"{change['file']}: to add" for change in rendered["changes"]]
            assert unwritten(world.ran(preview=False, held_back=held)[2]) == []


def test_each_spec_and_each_stack_file_is_read_once(project, run, monkeypatch) -> None:
    world, opened = World(project, run, monkeypatch), list[str]()
    world.set(Case(before=8, models=("churn",)))
    load, read = spec.load_model_spec, stack_file.read_environment
    monkeypatch.setattr(spec, "load_model_spec", lambda path: opened.append(path.stem) or load(path))
    monkeypatch.setattr(stack_file, "read_environment", lambda root, name: opened.append(name) or read(root, name))
    world.planned("plan")
    assert sorted(opened) == sorted([*stack_file.stacks(project.root), "churn", "fraud"])
