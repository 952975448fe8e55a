"""Runs the programs side by side, in turn, so that what else the machine does hits all of them alike."""

from __future__ import annotations

import itertools
import re
import shutil
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stacks import pacing
from tests.bench import project, recording, toolbox
from tests.bench.processes import Usage
from tests.bench.recording import Recording
from tests.bench.servers import Cluster
from tests.bench.toolbox import Toolbox

#: Where the engine logs its calls, when a run is recorded.
_LOG = "PULUMI_DEBUG_GRPC"
#: Slipway's program with the SDK's debug messages on: what is left of the difference to S without touching the SDK.
TALKATIVE = "D"
#: The engine then writes its state once, at the end: for states that are only a starting point.
_FAST_UP = {"PULUMI_SKIP_CHECKPOINTS": "true", "PULUMI_EXPERIMENTAL": "true"}

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Series:
    """The repeats of one program in one situation."""

    runs: tuple[Usage, ...]

    @property
    def wall(self) -> float:
        """Median seconds."""
        return statistics.median(run.wall for run in self.runs)

    @property
    def spread(self) -> float:
        """How far the repeats lie apart, as a part of their median."""
        walls = [run.wall for run in self.runs]
        return (max(walls) - min(walls)) / self.wall

    def cpu(self, role: str) -> float:
        """Median processor seconds of one role."""
        return statistics.median(run.cpu.get(role, 0.0) for run in self.runs)

    def rss(self, role: str) -> float:
        """Largest resident megabytes of one role."""
        return max(run.rss.get(role, 0.0) for run in self.runs)

    def as_json(self) -> dict[str, Any]:
        """Return everything that was measured."""
        runs = [{"wall": run.wall, "cpu": dict(run.cpu), "rss": dict(run.rss)} for run in self.runs]
        return {"median": self.wall, "spread": self.spread, "runs": runs}


@dataclass
class Size:
    """What was measured for one number of models.

    Args:
        models: How many.
        resources: Registrations of a first preview, the same for P, S and F.
        payload: Bytes of all their properties.
        situations: Situation, then program, to its repeats.
        state_bytes: Size of the stack's state.
    """

    models: int
    resources: int = 0
    payload: int = 0
    situations: dict[str, dict[str, Series]] = field(default_factory=dict)
    state_bytes: int = 0


class Bench:
    """One number of models: its projects, its recordings, its states."""

    def __init__(self, tools: Toolbox, store: Path, cluster: Cluster, models: int, say: Progress) -> None:
        self._tools, self._store, self._cluster, self._say = tools, store, cluster, say
        self._work = tools.work / str(models)
        self._fresh: dict[str, Path] = {}
        self._names = project.names(models)
        self.size = Size(models)

    def run(self, repeats: int, *, first_up: bool) -> Size:
        """Measure everything for this number of models."""
        try:
            self.new(repeats)
            if first_up:
                self._first_up("SP", repeats)
            self._settled(repeats)
        finally:
            # A thousand releases, several states: they are not kept while the next size runs.
            shutil.rmtree(self._work, ignore_errors=True)
        return self.size

    def new(self, repeats: int) -> Size:
        """Measure previews of models of which nothing runs yet."""
        self._make_projects()
        self._measure("new", self._fresh, f"EFSP{TALKATIVE}", repeats, self._same_resources(self._fresh))
        return self.size

    def _folder(self, program: str) -> Path:
        return self._work / program

    def _make_projects(self) -> None:
        self._say(f"{self.size.models} models: projects")
        project.write_artifacts(self._store, self._names, (1,))
        kubeconfig = self._cluster.kubeconfig()
        project.write_slipway(self._folder("P"), self._names, self._store, kubeconfig)
        for key, program in {"E": "empty", "F": "floor", "S": "bare"}.items():
            project.write_program(self._folder(key), program)
        self._cluster.show(())
        self._fresh = {p: self._tools.new_state(self._folder(p), self._work / "fresh" / p) for p in "EFSP"}

    def _record(self, program: str, states: Mapping[str, Path]) -> Recording:
        """Run a preview once, with a log of the engine's calls; it also warms bytecode and caches."""
        log = self._work / f"{program}.log"
        log.unlink(missing_ok=True)
        self._tools.preview(self._folder(program), states[program], **{_LOG: str(log)})
        found = recording.read(log)
        log.unlink()
        return found

    def _same_resources(self, states: Mapping[str, Path], programs: str = "FS") -> Recording:
        """Record P, give what it asks for to the others, check that they ask for the same.

        Raises:
            AssertionError: They do not: the comparison would mean nothing.
        """
        self._say(f"{self.size.models} models: record the program's registrations, give them to {', '.join(programs)}")
        ours = self._record("P", states)
        recording.write_bare(ours, self._folder("S"))
        if "F" in programs:
            recording.write_floor(ours, self._folder("F"))
        for program in programs:
            theirs = self._record(program, states)
            if theirs.fingerprint != ours.fingerprint:
                raise AssertionError(f"{program} does not ask for what P asks for: {ours.difference(theirs)}")
        return ours

    def _measure(
        self, situation: str, states: Mapping[str, Path], programs: Sequence[str], repeats: int, expected: Recording
    ) -> None:
        runs: dict[str, list[Usage]] = {program: [] for program in programs}
        for repeat in range(repeats):
            for program in programs:
                self._say(f"{self.size.models} models: preview, {situation}: {program} {repeat + 1}/{repeats}")
                usage = self._preview(program, states)
                if program != "E":
                    _check_count(program, usage.output, len(expected.resources) + 1)
                runs[program].append(usage)
        self.size.situations[situation] = {program: Series(tuple(found)) for program, found in runs.items()}
        if situation == "new":
            self.size.resources, self.size.payload = len(expected.resources), expected.payload_bytes

    def _preview(self, program: str, states: Mapping[str, Path]) -> Usage:
        if program == TALKATIVE:
            return self._tools.preview(self._folder("P"), states["P"], **{pacing.SDK_DEBUG: "1"})
        return self._tools.preview(self._folder(program), states[program])

    def _first_up(self, programs: Sequence[str], repeats: int) -> None:
        runs: dict[str, list[Usage]] = {program: [] for program in programs}
        for repeat in range(repeats):
            for program in programs:
                self._say(f"{self.size.models} models: first up: {program} {repeat + 1}/{repeats}")
                state = toolbox.copy_state(self._fresh[program], self._work / "up")
                runs[program].append(self._tools.up(self._folder(program), state))
                shutil.rmtree(state)
        self.size.situations["first up"] = {program: Series(tuple(found)) for program, found in runs.items()}

    def _settled(self, repeats: int) -> None:
        """Preview what runs already: once as it is, once with a candidate for one model."""
        self._say(f"{self.size.models} models: a state in which everything runs")
        seeded = toolbox.copy_state(self._fresh["P"], self._work / "seeded")
        self._tools.up(self._folder("P"), seeded, **_FAST_UP)
        self.size.state_bytes = toolbox.checkpoint(seeded).stat().st_size
        states = {"P": seeded, "S": _salted(seeded, self._work / "seeded-S", self._folder("P"), self._folder("S"))}
        before = self._same_resources(states, "S")
        self._cluster.show(recording.manifests(before))
        self._measure("unchanged", states, "SP", repeats, self._same_resources(states, "S"))
        project.write_artifacts(self._store, self._names[:1], (2,))
        project.change_one(self._folder("P"), self._names[0], self._store)
        self._measure("one changed", states, "SP", repeats, self._same_resources(states, "S"))


def _salted(state: Path, target: Path, owner: Path, user: Path) -> Path:
    """Copy a state for another project: the salt of its passphrase stands in the owner's stack settings."""
    toolbox.copy_state(state, target)
    salt = re.search(r"^encryptionsalt: .*$", (owner / f"Pulumi.{toolbox.STACK}.yaml").read_text(), re.MULTILINE)
    if salt:
        (user / f"Pulumi.{toolbox.STACK}.yaml").write_text(salt[0] + "\n")
    return target


def _check_count(program: str, output: str, expected: int) -> None:
    """Count what the engine says it did.

    Raises:
        AssertionError: It is not one operation for each resource.
    """
    counted = counted_operations(output.splitlines())
    if counted != expected:
        raise AssertionError(
            f"{program}: expected {expected} resources, the engine counted {counted}: {output[-2000:]}"
        )


def counted_operations(lines: Iterable[str]) -> int:
    """Add up the lines under `Resources:`: `+ 20 to create`, `~ 1 to update`, `2 changes. 5 unchanged`."""
    summary = itertools.dropwhile(lambda line: not line.startswith("Resources:"), lines)
    counted = (re.search(r"(\d+) (?:to create|to update|created|updated|unchanged)\b", line) for line in summary)
    return sum(int(match[1]) for match in counted if match)


def size_json(size: Size) -> dict[str, Any]:
    """Return one size as plain data."""
    situations = {
        name: {program: series.as_json() for program, series in programs.items()}
        for name, programs in size.situations.items()
    }
    return {
        "models": size.models,
        "resources": size.resources,
        "payload_bytes": size.payload,
        "state_bytes": size.state_bytes,
        "situations": situations,
    }
