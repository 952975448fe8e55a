"""The rollouts of the demo: one version that is better, three that only live traffic finds out.

Nothing is scripted: the registry says which version is wanted, `pulumi up` starts its rollout, Flagger moves the
traffic, the judge weighs what Prometheus has measured. What is known here is only what should come of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slipway.delivery import overview, readings, report, view
from slipway.delivery.books import Books
from slipway.delivery.collect import prometheus_of
from slipway.delivery.record import Outcome, RolloutRecord
from slipway.delivery.settle import settle
from slipway.demo.steps import CODE, STACK, apply
from slipway.engine.deploy import OnStep
from slipway.lab.seed.accidents import ACCIDENTS
from slipway.lab.seed.recipes import DEMO_MODELS
from slipway.lab.seed.registry import head_commit, register
from slipway.lab.seed.users import user_requests
from slipway.lab.state import Facts
from slipway.models.spec import load_model_specs
from slipway.observe.client import Client
from slipway.progress import say
from slipway.registry import Registry
from slipway.registry.aliases import move_alias
from slipway.registry.connection import Connection
from slipway.rollout import cluster, state
from slipway.settings.stack_file import read_environment
from slipway.times import iso
from slipway.traffic.requests import Stream
from slipway.traffic.shares import shares
from slipway.traffic.stream import Traffic

#: The model whose better version is promoted, with the alias that names it in a fresh registry.
BETTER = ("wine-cultivar", "challenger")
#: Requests that each model's users send a second: what their specs expect.
PER_SECOND = 20.0
#: Seconds for rollouts that start together, on a machine that has other things to do.
LIMIT = 300.0
#: Seconds between two looks, which ask the cluster a dozen questions.
LOOK = 2.0
#: Seconds until Prometheus has seen what the gateway has just counted.
SCRAPED = 3.0
#: The report's files, without a suffix; the project keeps there what is not kept in Git.
REPORTS, REPORT = Path(".slipway", "reports"), "demo"


@dataclass(frozen=True)
class Story:
    """A version, with what should become of it.

    Args:
        model: Whose.
        version: Its number in the registry.
        title: What it is, in a few words.
        outcome: How its rollout should end.
    """

    model: str
    version: int
    title: str
    outcome: Outcome


@dataclass(frozen=True)
class Noticed:
    """What a model's users noticed, as the gateway counted it.

    Args:
        model: Whose.
        primary: Requests to the primary's share; one that never reached the gateway is counted here.
        primary_failed: Of them, those without a prediction.
        canary: Requests to the candidates' share.
        canary_failed: Of them, those without a prediction.
    """

    model: str
    primary: int
    primary_failed: int
    canary: int
    canary_failed: int


class Rollouts:
    """The part of the demo in which traffic moves.

    Args:
        project: Where the demo runs.
        facts: The lab's ports.
        on_step: Told what Pulumi does.
    """

    def __init__(self, project: Path, facts: Facts, on_step: OnStep) -> None:
        self.project, self.gateway, self.on_step = project, facts.url("gateway"), on_step
        self.environment = read_environment(project, STACK)
        self.specs = load_model_specs(project / "models")
        self.kube = cluster.connect(self.environment, project)
        self.prometheus = prometheus_of(self.environment)

    def better(self) -> list[Story]:
        """Return the story of the better version."""
        model, alias = BETTER
        version = Connection(None).aliases()[self.specs[model].registered_model][alias]
        return [Story(model, version, "better on unseen rows", "promoted")]

    def worse(self) -> list[Story]:
        """Register the versions that are worse than the registry says; those that are there already stay."""
        uri, commit, told = os.environ["MLFLOW_TRACKING_URI"], head_commit(CODE), list[Story]()
        for model in DEMO_MODELS:
            recipe = ACCIDENTS[model.name]
            told.append(Story(model.name, register(uri, commit, model, recipe), recipe.title, "failed"))
        return told

    def open(self, stories: Sequence[Story]) -> list[Story]:
        """Return the stories without an end: neither rejected, nor live, nor promoted once."""
        rejected = Registry(None).rejections(self.environment.name)
        seen = state.read(self.kube, self.environment.namespace, self.specs)
        promoted = {(each.model, each.candidate_version) for each in self.recorded() if each.outcome == "promoted"}
        return [
            story
            for story in stories
            if story.version not in rejected.get(self.specs[story.model].registered_model, {})
            and story.version != seen[story.model].seen.live_version
            and (story.model, story.version) not in promoted
        ]

    def users(self, urls: Mapping[str, str]) -> Traffic:
        """Make each model's users, who send requests, whose labels follow."""
        namespace = self.environment.namespace
        streams = [
            Stream(model.name, urls[model.name], user_requests(model), PER_SECOND, namespace) for model in DEMO_MODELS
        ]
        return Traffic(self.gateway, streams, sink=Client(os.environ["SLIPWAY_OBSERVE_URL"]))

    def tell(self, stories: Sequence[Story]) -> None:
        """Let rollouts happen: move the aliases, `pulumi up`, watch, write the end down."""
        alias = self.environment.alias
        for story in stories:
            before = move_alias(None, self.specs[story.model].registered_model, alias, story.version)
            was = f", was v{before}" if before != story.version else ""
            say(f"  ✓ {story.model}: {alias} names v{story.version}{was} ({story.title})")
        apply(self.project, self.on_step)
        models = [story.model for story in stories]
        found = view.watch(
            lambda: overview.records(self.environment, self.kube, models), models, limit=LIMIT, period=LOOK
        )
        self.record([found[model] for model in models])
        for model in models:
            self._settle(model)

    def tidy(self) -> None:
        """Leave nothing to do: what has ended is written down, what was tried goes away."""
        for row in self._rows():
            if row["next"] in ("settle", "rollback"):
                self._settle(row["model"])
        if any(row["next"] == "up" for row in self._rows()):
            apply(self.project, self.on_step)

    def noticed(self, traffic: Traffic, start: float) -> list[Noticed]:
        """Count what users noticed from `start` (seconds since the epoch) until now; they must have stopped."""
        # Prometheus tells nobody when it has scraped.
        time.sleep(SCRAPED)
        told, now = list[Noticed](), time.time()
        for model in (stream.model for stream in traffic.streams):
            sides = shares(self.prometheus, self.environment.namespace, model, start, now)
            primary, canary = sides.primary, sides.canary
            # What was sent, but is not in the gateway's books, never got there.
            lost = max(0, traffic.requests(model) - primary.requests - canary.requests)
            told.append(Noticed(model, primary.requests + lost, primary.failed + lost, canary.requests, canary.failed))
        return told

    def record(self, records: Sequence[RolloutRecord]) -> report.Written:
        """Add rollouts to the demo's report; one that is in it already is replaced."""
        kept = {(each.model, each.candidate_version): each for each in (*self.recorded(), *records)}
        return report.write(list(kept.values()), self.project / REPORTS, REPORT, iso(time.time()))

    def _rows(self) -> list[dict[str, Any]]:
        return overview.overview(self.project, self.environment, self.kube, self.specs)[0]

    def _settle(self, model: str) -> None:
        for line in settle(self.kube, Books(self.project, self.environment, self.specs[model])):
            say(f"  ✓ {model}: {line.removeprefix(f'{model}: ')}")

    def recorded(self) -> tuple[RolloutRecord, ...]:
        """Return the rollouts of the demo's report so far."""
        path = self.project / REPORTS / f"{REPORT}.json"
        return report.read(path) if path.exists() else ()


def problems(stories: Sequence[Story], records: Sequence[RolloutRecord], noticed: Sequence[Noticed]) -> list[str]:
    """Say what did not come as it should, in one line each."""
    said, known = list[str](), {(record.model, record.candidate_version): record for record in records}
    for story in stories:
        record = known.get((story.model, story.version))
        if record is not None and record.outcome != story.outcome:
            wanted = readings.OUTCOMES[story.outcome]
            said.append(
                f"{readings.verdict(record)}; it should have been {wanted} ({story.title});"
                " after `slipway lab reset` the demo starts from nothing"
            )
    for each in noticed:
        if each.primary_failed:
            said.append(
                f"{each.model}: {each.primary_failed} of {each.primary} requests of the primary's share failed;"
                f" none should have (load of this machine: {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors)"
            )
    return said
