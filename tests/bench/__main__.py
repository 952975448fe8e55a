"""`make bench`: measures, prints the tables, and exits with 1 when a bar is missed."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.bench import imports, mlflow_registry, project, pure, report, servers
from tests.bench.imports import Imports
from tests.bench.measure import Bench, Size, size_json
from tests.bench.pure import Pure
from tests.bench.report import RegistryCalls
from tests.bench.servers import Cluster
from tests.bench.toolbox import ROOT, Toolbox

MODELS = (10, 100, 1000)
REPEATS = 3
#: A first `up` writes the whole state twice for each resource: above this it takes minutes a run.
LARGEST_FIRST_UP = 100
#: Versions of each model in the registry; the alias names the first.
VERSIONS = 3


def main() -> int:
    """Measure."""
    options = _options()
    say = _clock()
    with _scratch(options.work) as work:
        store = work / "s3"
        with Cluster(project.NAMESPACE).running() as cluster, servers.object_store(store) as credentials:
            tools = Toolbox(work, credentials)
            sizes = [
                Bench(tools, store, cluster, models, say).run(options.repeats, first_up=models <= LARGEST_FIRST_UP)
                for models in options.models
            ]
            cluster.show(())
            say("imports")
            found_imports = _imports(tools, store, cluster, options.repeats)
            say("the pure path")
            found_pure = [_pure(tools, store, cluster, models, options.repeats) for models in options.models]
            say("registry: fill MLflow, start its server, preview twice")
            found_registry = _registry(tools, store, cluster, max(options.models))
            machine = _machine(tools)
    found = list(report.bars(sizes, found_imports, found_pure, found_registry))
    tables = _tables(machine, options.repeats, sizes, found_pure, found_registry, found)
    print(f"\n{tables}")
    if options.document:
        report.put_into(options.document, "bench", tables)
    _write(options.json, machine, options.repeats, sizes, found_imports, found_pure, found_registry, found)
    return 0 if all(bar.holds for bar in found) else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What a preview of many models costs.")
    parser.add_argument("--models", type=_counts, default=MODELS, help="numbers of models, as 10,100,1000")
    parser.add_argument("--repeats", type=int, default=REPEATS, help=f"runs of each program (default {REPEATS})")
    parser.add_argument("--quick", action="store_const", const=1, dest="repeats", help="one run of each program")
    parser.add_argument("--json", type=Path, default=ROOT / ".slipway" / "bench.json", help="where everything goes")
    parser.add_argument("--document", type=Path, help="a Markdown file that takes the tables, as docs/performance.md")
    parser.add_argument("--work", type=Path, help="a directory to make and to keep, instead of a temporary one")
    return parser.parse_args()


def _counts(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(count) for count in text.split(",")))


@contextmanager
def _scratch(given: Path | None) -> Iterator[Path]:
    if given is not None:
        given.mkdir(parents=True)
        yield given.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="slipway-bench-", ignore_cleanup_errors=True) as directory:
        yield Path(directory)


def _clock() -> Callable[[str], None]:
    started = time.monotonic()

    def say(what: str) -> None:
        print(f"  {time.monotonic() - started:6.0f} s  {what}", file=sys.stderr, flush=True)

    return say


def _imports(tools: Toolbox, store: Path, cluster: Cluster, repeats: int) -> Imports:
    """Count the imports of a pinned environment's first preview, which also needs the S3 client to check bytes."""
    folder, models = tools.work / "imports", project.names(1)
    project.write_artifacts(store, models, (1,))
    project.write_slipway(folder, models, store, cluster.kubeconfig())
    state = tools.new_state(folder, tools.work / "imports-state")
    return imports.measure(tools, folder, state, repeats)


def _pure(tools: Toolbox, store: Path, cluster: Cluster, models: int, repeats: int) -> Pure:
    folder = tools.work / f"pure-{models}"
    project.write_artifacts(store, project.names(models), (1,))
    project.write_slipway(folder, project.names(models), store, cluster.kubeconfig())
    return pure.measure(folder, models, repeats)


def _registry(tools: Toolbox, store: Path, cluster: Cluster, models: int) -> RegistryCalls:
    names, folder = project.names(models), tools.work / "follow"
    database = tools.work / "mlflow.db"
    project.write_artifacts(store, names, (1,))
    mlflow_registry.fill(database, names, VERSIONS)
    with (
        mlflow_registry.server(database) as address,
        mlflow_registry.CountingProxy(address).running() as proxy,
    ):
        settings: dict[str, Any] = {"releases": "follow", "registry": {"tracking_uri": proxy.url}}
        project.write_slipway(folder, names, store, cluster.kubeconfig(), **settings)
        state = tools.new_state(folder, tools.work / "follow-state")
        counted = []
        for _ in range(2):
            proxy.calls.clear()
            tools.preview(folder, state)
            counted.append(dict(proxy.calls))
    versions = models * VERSIONS
    return RegistryCalls(models, versions, *counted, mlflow_registry.allowed_calls(models, versions))


def _tables(
    machine: str,
    repeats: int,
    sizes: Sequence[Size],
    pures: Sequence[Pure],
    registry: RegistryCalls,
    found: Sequence[report.Bar],
) -> str:
    parts = [
        [f"{machine}; {repeats} interleaved repeats, medians", *report.noise(sizes)],
        report.bar_table(found),
        report.size_tables(sizes),
        report.pure_table(pures),
        report.registry_lines(registry),
    ]
    return "\n\n".join("\n".join(part) for part in parts)


def _machine(tools: Toolbox) -> str:
    engine = tools.pulumi(tools.work, tools.work, "version").output.strip()
    python = f"Python {platform.python_version()}"
    packages = [f"{package} {metadata.version(package)}" for package in ("pulumi", "pulumi-kubernetes", "mlflow")]
    return (
        f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; {', '.join([f'engine {engine}', python, *packages])}"
    )


def _write(
    file: Path,
    machine: str,
    repeats: int,
    sizes: Sequence[Size],
    found_imports: Imports,
    pures: Sequence[Pure],
    registry: RegistryCalls,
    found: Sequence[report.Bar],
) -> None:
    content = {
        "machine": machine,
        "repeats": repeats,
        "bars": [dataclasses.asdict(bar) for bar in found],
        "sizes": [size_json(size) for size in sizes],
        "imports": dataclasses.asdict(found_imports),
        "pure": [dataclasses.asdict(one) for one in pures],
        "registry": dataclasses.asdict(registry),
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=1) + "\n")
    print(f"\neverything that was measured: {file}")


if __name__ == "__main__":
    sys.exit(main())
