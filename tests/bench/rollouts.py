"""How long a rollout takes, who is exposed to a bad one, what the lab costs: `python -m tests.bench.rollouts`.

Real models, real users at a steady pace, real Flagger. Times are given in analysis intervals ("ticks"), since that is
what Flagger's own loop allows: it acts once in each.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS), str(TESTS / "lab")]

from live_rollouts import CANCER, DIABETES, PER_SECOND, REGISTER, WINE, Changes, processes, users  # noqa: E402
from local_stack import Stack  # noqa: E402
from running_lab import Lab, running_lab  # noqa: E402

from slipway.clients.prometheus import Prometheus  # noqa: E402
from slipway.rollout.cluster import ROUTE  # noqa: E402
from slipway.traffic.shares import shares  # noqa: E402
from slipway.traffic.stream import Answer  # noqa: E402
from tests.bench.report import put_into  # noqa: E402

MODELS = (CANCER, DIABETES, WINE)
#: Seconds of Flagger's interval on stack `local`, which is also the least that Flagger allows.
TICK = 10.0
#: Seconds of users' requests before anything is measured: rates need a window.
WARM_UP = 30.0
COLUMNS = (
    "model",
    "candidate",
    "end",
    "`up`",
    "ticks from `up` to the end",
    "ticks with traffic (least)",
    "requests it got",
    "of them not answered with 2xx",
    "failed on the primary",
)


@dataclass(frozen=True)
class Rollout:
    """One rollout: seconds of `up`, ticks from its end to the end, ticks with traffic, who was exposed."""

    model: str
    title: str
    outcome: str
    up: float
    ticks: float
    exposed_ticks: float
    least: int
    requests: int
    failed: int
    primary_failed: int


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rollouts", description=__doc__)
    parser.add_argument("--document", type=Path, help="a Markdown file that takes the tables")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="slipway-bench-") as directory, running_lab(Path(directory)) as lab:
        text = "\n".join(_measured(lab, Path(directory) / "project"))
    print(text)
    if options.document:
        put_into(options.document, "rollouts", text)
    return 0


def _measured(lab: Lab, root: Path) -> Iterator[str]:
    root.mkdir()
    stack, found = Stack(lab, root, MODELS), Changes()
    stack.start()
    found.follow(stack, ROUTE)
    with users(lab, *MODELS) as traffic:
        began, cpu = time.time(), _cpu(lab)
        time.sleep(WARM_UP)  # what is measured is this time itself
        spent, seconds = _cpu(lab), time.time() - began
        waited, served = _on_the_way(Prometheus(lab.facts.url("prometheus")), list(traffic.answers), WARM_UP)
        lines = list(_resources(lab, cpu, spent, seconds))
        good = _rollouts(stack, found, dict.fromkeys(MODELS, 3), "better")
        for model in MODELS:
            stack.python(REGISTER, model)
        bad = _rollouts(stack, found, dict.fromkeys(MODELS, 4), "worse")
    load, each = os.getloadavg()[0], f"{PER_SECOND:g} requests/s each"
    yield f"{os.cpu_count()} cores, load {load:.1f}; {len(MODELS)} models at once, {each}; a tick is {TICK:g} s"
    yield ""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---" * len(COLUMNS) + "|"
    for one in (*good, *bad):
        yield (
            f"| {one.model} | {one.title} | {one.outcome} | {one.up:.0f} s | {one.ticks:.1f} |"
            f" {one.exposed_ticks:.1f} ({one.least}) | {one.requests} | {one.failed} | {one.primary_failed} |"
        )
    yield ""
    way = waited - served
    yield f"- a user waits {waited:.1f} ms on average; {served:.1f} ms of them are the model server's own"
    yield f"- the gateway, with the relay into the lab's network and back, takes the other {way:.1f} ms"
    yield ""
    yield from lines


def _rollouts(stack: Stack, found: Changes, versions: dict[str, int], title: str) -> list[Rollout]:
    """Let one rollout of each model happen, all at once."""
    for model, version in versions.items():
        stack.promote(version, model)
    began = time.time()
    stack.up()
    moved = time.time()
    prometheus, ends, phases = Prometheus(stack.lab.facts.url("prometheus")), {}, {}

    def wait(model: str) -> None:
        phases[model] = stack.ended(f"{model}-v{versions[model]}")
        ends[model] = time.time()

    waiting = [threading.Thread(target=wait, args=(model,)) for model in versions]
    for thread in waiting:
        thread.start()
    for thread in waiting:
        thread.join()
    time.sleep(2)  # the gateway's last counts are scraped each second
    made = []
    for model in versions:
        changes = [(at, canary) for at, _, canary in found.weights(model) if at >= began]
        first = next((at for at, weight in changes if weight > 0), ends[model])
        last = next((at for at, weight in changes if at > first and weight == 0), ends[model])
        steps = stack.kube.get("flagger.app/v1beta1", "Canary", model, "models")["spec"]["analysis"]["stepWeights"]
        counted = shares(prometheus, "models", model, began, time.time())
        made.append(
            Rollout(
                model=model,
                title=title,
                outcome=phases[model],
                up=moved - began,
                ticks=(ends[model] - moved) / TICK,
                exposed_ticks=(last - first) / TICK,
                # Each weight is looked at once, then Flagger copies, routes: two more; a bad one is taken back at
                # the first look.
                least=len(steps) + 1 if phases[model] == "Succeeded" else 1,
                requests=counted.canary.requests,
                failed=counted.canary.failed,
                primary_failed=counted.primary.failed,
            )
        )
    return made


def _on_the_way(prometheus: Prometheus, answers: Iterable[Answer], window: float) -> tuple[float, float]:
    """Return how long a user waits, how long the model server says that it took; mean milliseconds."""
    waited = [1000 * answer.seconds for answer in answers if not answer.failed]
    metric, rate = "rest_server_request_duration_seconds", f"[{window:.0f}s]"
    # Outside a rollout each server is measured through both Services; one is enough.
    labels = 'path=~"/v2/models/.+/infer",service=~".+-primary"'
    query = f"1000 * sum(rate({metric}_sum{{{labels}}}{rate})) / sum(rate({metric}_count{{{labels}}}{rate}))"
    (sample,) = prometheus.query(query)
    return sum(waited) / len(waited), sample.value


def _cpu(lab: Lab) -> dict[str, float]:
    """Return seconds of processor time by kind of process."""
    spent: dict[str, float] = {}
    for process in processes(lab):
        try:
            fields = (process / "stat").read_text().rpartition(")")[2].split()
            name = _kind(process)
        except OSError:
            continue
        spent[name] = spent.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return spent


def _resources(lab: Lab, before: dict[str, float], after: dict[str, float], seconds: float) -> Iterator[str]:
    memory: dict[str, float] = {}
    for process in processes(lab):
        try:
            found = re.search(r"^VmRSS:\s+(\d+) kB", (process / "status").read_text(), re.M)
            name = _kind(process)
        except OSError:
            continue
        memory[name] = memory.get(name, 0.0) + (int(found[1]) / 1024 if found else 0.0)
    yield "| process of the lab | memory | processor, of one core |"
    yield "|---|---|---|"
    for name, size in sorted(memory.items(), key=lambda item: -item[1]):
        yield f"| {name} | {size:.0f} MB | {100 * (after.get(name, 0.0) - before.get(name, 0.0)) / seconds:.0f} % |"
    total = 100 * sum(after.get(name, 0.0) - before.get(name, 0.0) for name in memory) / seconds
    yield f"| all | {sum(memory.values()):.0f} MB | {total:.0f} % |"


def _kind(process: Path) -> str:
    """Say what a process is: its module for our own, its program for others."""
    words = [word.decode() for word in (process / "cmdline").read_bytes().split(b"\0") if word]
    if not words:
        raise FileNotFoundError(process)
    if "mlserver" in " ".join(words):
        return "model servers"
    own = next((word.removeprefix("slipway.") for word in words if word.startswith("slipway.")), None)
    return own or Path(words[0]).name


if __name__ == "__main__":
    sys.exit(main())
