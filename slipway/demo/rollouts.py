"""Rollouts of the demo: one better version, and three bad ones that only live traffic reveals.

Nothing is scripted: an alias in the registry selects the version, `pulumi up` starts its rollout, Flagger moves the
traffic, and the judge decides by Prometheus' measurements. This module has only the expected outcomes.
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

#: Model whose better version is promoted, with the alias of that version in a new registry.
BETTER = ("wine-cultivar", "challenger")
#: Requests per second of each model's users, as expected in the specs.
PER_SECOND = 20.0
#: Seconds for rollouts that start together, on a busy machine.
LIMIT = 300.0
#: Seconds between two observations, each of a dozen calls to the cluster.
LOOK = 2.0
#: Seconds until Prometheus has scraped the gateway's newest counts.
SCRAPED = 3.0
#: Files of the report, without a suffix, in the project's directory of files outside Git.
REPORTS, REPORT = Path(".slipway", "reports"), "demo"


@dataclass(frozen=True)
class Story:
    """Version with the expected outcome of its rollout."""

    model: str
    version: int
    title: str
    outcome: Outcome


@dataclass(frozen=True)
class Noticed:
    """Requests and failures of one model's users, counted by the gateway.

    Args:
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
    """Rollouts of the demo."""

    def __init__(self, project: Path, facts: Facts, on_step: OnStep) -> None:
        self.project, self.gateway, self.on_step = project, facts.url("gateway"), on_step
        self.environment = read_environment(project, STACK)
        self.specs = load_model_specs(project / "models")
        self.kube = cluster.connect(self.environment, project)
        self.prometheus = prometheus_of(self.environment)

    def better(self) -> list[Story]:
        """Return the better version."""
        model, alias = BETTER
        version = Connection(None).aliases()[self.specs[model].registered_model][alias]
        return [Story(model, version, "better on unseen rows", "promoted")]

    def worse(self) -> list[Story]:
        """Register the bad versions unless they exist, and return them."""
        uri, commit = os.environ["MLFLOW_TRACKING_URI"], head_commit(CODE)
        recipes = [(model, ACCIDENTS[model.name]) for model in DEMO_MODELS]
        return [Story(model.name, register(uri, commit, model, one), one.title, "failed") for model, one in recipes]

    def open(self, stories: Sequence[Story]) -> list[Story]:
        """Return the stories without an end: neither rejected, nor live, nor promoted before."""
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
        """Return the traffic of each model's users, with labels."""
        namespace = self.environment.namespace
        streams = [
            Stream(model.name, urls[model.name], user_requests(model), PER_SECOND, namespace) for model in DEMO_MODELS
        ]
        return Traffic(self.gateway, streams, sink=Client(os.environ["SLIPWAY_OBSERVE_URL"]))

    def tell(self, stories: Sequence[Story]) -> None:
        """Run rollouts: move the aliases, run `pulumi up`, watch, and record the outcomes."""
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
        """Settle ended rollouts and delete their candidates."""
        for row in self._rows():
            if row["next"] in ("settle", "rollback"):
                self._settle(row["model"])
        if any(row["next"] == "up" for row in self._rows()):
            apply(self.project, self.on_step)

    def noticed(self, traffic: Traffic, start: float) -> list[Noticed]:
        """Count the users' requests from `start` (seconds since the epoch) until now; the traffic must have stopped."""
        # A scrape of Prometheus is no event.
        time.sleep(SCRAPED)
        found = list[Noticed]()
        now = time.time()
        for model in (stream.model for stream in traffic.streams):
            sides = shares(self.prometheus, self.environment.namespace, model, start, now)
            primary, canary = sides.primary, sides.canary
            # Requests that were sent but not counted by the gateway never reached it.
            lost = max(0, traffic.requests(model) - primary.requests - canary.requests)
            found.append(Noticed(model, primary.requests + lost, primary.failed + lost, canary.requests, canary.failed))
        return found

    def record(self, records: Sequence[RolloutRecord]) -> report.Written:
        """Add rollouts to the demo's report; one that it already has is replaced."""
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
    """Return the unexpected outcomes and failures, in one line each."""
    found = list[str]()
    known = {(record.model, record.candidate_version): record for record in records}
    for story in stories:
        record = known.get((story.model, story.version))
        if record is not None and record.outcome != story.outcome:
            wanted = readings.OUTCOMES[story.outcome]
            found.append(
                f"{readings.verdict(record)}; expected: {wanted} ({story.title});"
                " start again: `slipway lab reset`, then the demo"
            )
    for each in noticed:
        if each.primary_failed:
            found.append(
                f"{each.model}: {each.primary_failed} of {each.primary} requests of the primary's share failed;"
                f" expected none (load of this machine: {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors)"
            )
    return found
