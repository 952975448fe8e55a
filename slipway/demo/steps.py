"""Steps of the demo (`make demo`), from training to a prediction.

Every step detects by itself what is done already, so an interrupted demo goes on from there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from slipway import names
from slipway.clients.inference import NOT_YET, ask, infer_answer, infer_request, same_answers
from slipway.clients.kube import Kube
from slipway.engine.deploy import Deployment, OnStep, Summary
from slipway.errors import ExitCode, SlipwayError
from slipway.lab import lifecycle, shell, state
from slipway.lab.paths import Paths
from slipway.lab.plugin import choice
from slipway.lab.seed.reference import reference
from slipway.lab.seed.registry import Seeded, head_commit, seed_registry
from slipway.lab.state import Facts
from slipway.models.spec import load_model_specs
from slipway.progress import say, step
from slipway.rollout import cluster
from slipway.rollout.canary import is_initialized
from slipway.rollout.observed import ObservedModel, is_ready
from slipway.settings.environment import Environment
from slipway.settings.stack_file import read_environment
from slipway.tools import toolchain

#: Checkout of this code, to whose commit the demo's models are traced.
CODE = Path(__file__).resolve().parents[2]
#: Stack whose cluster is the lab.
STACK = "local"
#: Number of the demo's steps.
CHAPTERS = 9
#: Seconds of the first `up` until three model servers are ready, on two otherwise idle cores.
UP_SECONDS = 20
#: Seconds for a model server to be ready, and for Flagger to take over its traffic.
READY_LIMIT = 180.0
#: Statuses of a candidate that is about to be rolled back.
BROKEN = frozenset({500})


@dataclass(frozen=True)
class Deployed:
    """Model after `up`.

    Args:
        versions: The registry versions that may answer: the live one, and one in a rollout.
    """

    model: str
    version: int
    release: str
    digest: str
    state: str
    url: str
    registered_model: str
    versions: tuple[int, ...]


@dataclass(frozen=True)
class Compared:
    """Answers of one model to its own input example: served, and loaded from the registry."""

    model: str
    version: int
    served: list[Any]
    loaded: list[Any]
    equal: bool


@contextmanager
def chapter(number: int, title: str) -> Iterator[None]:
    """Print the heading of a step, then its duration."""
    say(f"[{number}/{CHAPTERS}] {title}")
    start = time.monotonic()
    yield
    say(f"      done in {time.monotonic() - start:.0f} s")


def tools(paths: Paths) -> str:
    """Build missing tools and choose Pulumi's Kubernetes plugin; return the choice with its reason.

    The plugin is chosen before the lab writes the shell's PATH: the stand-in must never come before the official one.
    """
    toolchain.ensure()
    # The lab's Pulumi reads plugins from its own home, not from the user's.
    os.environ["PULUMI_HOME"] = str(paths.pulumi_home)
    with step("look for the official Kubernetes plugin"):
        return str(choice.choose(paths.plugin, install=True, pulumi=str(toolchain.binary("pulumi"))))


def start_lab(paths: Paths) -> Facts:
    """Start the lab unless it runs, and set its variables in this process."""
    if state.running(paths):
        say("  ✓ lab: runs already")
        facts = state.load(paths)
    else:
        facts = lifecycle.up(paths.project, say)
    if facts is None:
        raise SlipwayError(f"lab: runs without {paths.facts}; run `slipway lab down`, then again", ExitCode.MACHINE)
    # Also for a lab that already runs: the tools may have moved since.
    shell.write(paths, facts)
    os.environ.update(shell.variables(paths, facts, os.environ))
    return facts


def seed() -> Seeded:
    """Fill the registry with its missing versions."""
    found = seed_registry(os.environ["MLFLOW_TRACKING_URI"], head_commit(CODE))
    say(f"  ✓ registry: {found.total} versions, {found.added} of them new")
    return found


def deploy(project: Path, on_step: OnStep) -> list[Deployed]:
    """Run `pulumi up`, then wait until every declared model is ready."""
    summary = apply(project, on_step)
    environment = read_environment(project, STACK)
    kube = cluster.connect(environment, project)
    _wait(kube, environment, {name: outputs.version for name, outputs in summary.models.items()})
    observed = cluster.observe(kube, environment.namespace, summary.models)
    specs = load_model_specs(project / "models")
    return [
        Deployed(
            model=name,
            version=outputs.version,
            release=outputs.release,
            digest=outputs.digest,
            state=_state(observed[name], outputs.version),
            url=outputs.url,
            registered_model=specs[name].registered_model,
            versions=_may_answer(observed[name], outputs.version),
        )
        for name, outputs in summary.models.items()
    ]


def apply(project: Path, on_step: OnStep) -> Summary:
    """Run `pulumi up` and print its changes."""
    with step(f"pulumi up --stack {STACK}", UP_SECONDS):
        summary = Deployment(project, STACK).up(on_step)
    for notice in (*summary.warnings, *summary.messages):
        say(f"  note: {notice}")
    counts = ", ".join(f"{count} {op}" for op, count in sorted(summary.changes.items()))
    say(f"  ✓ resources: {counts}")
    return summary


def compare(deployed: Sequence[Deployed], gateway: str) -> list[Compared]:
    """Compare each served model's answers to its own input example with those of the loaded model.

    Args:
        gateway: Address of the gateway, as `http://127.0.0.1:8000`.
    """
    registry = os.environ["MLFLOW_TRACKING_URI"]
    session = requests.Session()
    # A proxy of the user's shell cannot reach the lab.
    session.trust_env = False
    found = []
    for one in deployed:
        with step(f"compare the answers of {one.model}"):
            known = {version: reference(registry, one.registered_model, version) for version in one.versions}
            example = known[one.versions[0]].example
            passing = NOT_YET if len(one.versions) == 1 else NOT_YET | BROKEN
            served = infer_answer(ask(session, gateway, one.url, infer_request(example), passing))
            # In a rollout either version may answer; the answers must be those of one version.
            version = next((v for v in one.versions if same_answers(served, known[v].answers)), one.versions[0])
            loaded = known[version].answers
        found.append(Compared(one.model, version, served, loaded, same_answers(served, loaded)))
    return found


def next_steps(one: Deployed, gateway: str) -> list[tuple[str, str]]:
    """Return commands to try, each with its purpose."""
    address, model = urlsplit(one.url), one.model
    port = urlsplit(gateway).port
    return [
        ("source .slipway/env", "puts pulumi, kubectl, slipway on PATH, with the lab's settings"),
        (f"curl http://{address.netloc}:{port}/v2/models/{model}", "the model's inputs and outputs"),
        (f"slipway models show {model}", "its versions: the release of each, and the gates that it passes"),
        ("slipway rollout status", "the live versions, candidates and next steps"),
        (f"slipway models alias {model} champion 2", "make version 2 the champion again …"),
        (f"pulumi preview --stack {STACK}", "… and preview the change: version 2 beside the live one"),
        (f"slipway rehearse {model} --candidate 4", "rehearse its rollout here, predict the one in production"),
        ("kubectl get inferenceservices,canaries,httproutes", "the running objects"),
        (f"pulumi destroy --stack {STACK} --yes", "remove everything again"),
        ("slipway lab down", "stop the lab; its state stays, and `make demo` starts it again"),
    ]


def _wait(kube: Kube, environment: Environment, versions: Mapping[str, int]) -> None:
    """Wait until the model servers are ready, then until Flagger has created their routes."""
    namespace = environment.namespace
    with step("wait for the model servers"):
        for model, version in versions.items():
            service = names.inference_service(model, version)
            kube.wait_for(*cluster.INFERENCE_SERVICE, service, namespace, is_ready, timeout=READY_LIMIT)
    with step("wait for Flagger to take over their traffic"):
        for model in versions:
            kube.wait_for(*cluster.CANARY, model, namespace, is_initialized, timeout=READY_LIMIT)


def _state(seen: ObservedModel, version: int) -> str:
    service = next((each for each in seen.services.values() if each.version == version), None)
    ready = "Ready" if service and service.ready else "not ready"
    if seen.phase == "Failed" and seen.target_version == seen.live_version:
        return f"{ready}, last rollout Failed"
    return f"{ready}, {seen.phase}" if seen.phase else ready


def _may_answer(seen: ObservedModel, version: int) -> tuple[int, ...]:
    live = seen.live_version or version
    return (live, version) if seen.weight and version != live else (live,)
