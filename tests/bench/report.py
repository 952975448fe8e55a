"""Turns measurements into tables, and holds them against the bars."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.imports import HEAVY, Imports
from tests.bench.measure import Series, Size
from tests.bench.pure import Pure

#: Ratios, so that a slower machine is no miss. P/S by the number of models: start-up counts most where there are few.
P_TO_S = {10: 1.2, 1000: 0.55}
P_TO_F = 4.0
#: Files in, canonical bytes out, against libyaml reading the same files and writing the same objects.
PURE_TO_LIBYAML = {1000: 0.7}
EXPONENT_SLACK = 0.05
IMPORT_SECONDS = 1.5
#: Between these the cost exponent is taken: below, the start-up's noise is larger than the cost.
EXPONENT_FROM, EXPONENT_TO = 100, 1000
#: A machine on which the empty program varies more than this is not quiet.
NOISY = 0.2

WORDS = {
    "P": "P, Slipway's program",
    "D": "D, P with the SDK's debug messages",
    "S": "S, bare SDK program",
    "F": "F, bare engine",
    "E": "E, empty program",
}


@dataclass(frozen=True)
class RegistryCalls:
    """What a following environment asks of MLflow.

    Args:
        models: Registered models, all served.
        versions: Versions of all of them.
        first: Calls of the first preview, by method and path.
        next: Calls of the next one.
        allowed: How many the next one may take.
    """

    models: int
    versions: int
    first: dict[str, int]
    next: dict[str, int]
    allowed: int


@dataclass(frozen=True)
class Bar:
    """One thing that must hold."""

    name: str
    measured: str
    bar: str
    holds: bool

    def __str__(self) -> str:
        return f"| {self.name} | {self.measured} | {self.bar} | {'ok' if self.holds else '**missed**'} |"


def exponent(smaller: Size, larger: Size, program: str) -> float:
    """Return how the cost of a first preview without start-up grows: 1 is linear.

    Raises:
        ValueError: A program is as fast as the empty one: there is no cost to compare.
    """
    costs = [size.situations["new"][program].wall - size.situations["new"]["E"].wall for size in (smaller, larger)]
    if min(costs) <= 0:
        raise ValueError(f"{program} took no longer than the empty program; measure more models")
    return math.log(costs[1] / costs[0]) / math.log(larger.models / smaller.models)


def bars(
    sizes: Sequence[Size], imports: Imports | None, pures: Iterable[Pure], registry: RegistryCalls | None
) -> Iterator[Bar]:
    """Hold what was measured against what is asked."""
    for size in sizes:
        if size.models in P_TO_S:
            yield _ratio(size, "S", P_TO_S[size.models])
    yield _ratio(max(sizes, key=lambda size: size.models), "F", P_TO_F)
    for pure in pures:
        if bar := PURE_TO_LIBYAML.get(pure.models):
            ratio, name = pure.ours / pure.libyaml, f"pure path ÷ libyaml, {pure.models} models"
            yield Bar(name, f"{ratio:.2f}", f"≤ {bar:g}", ratio <= bar)
    by_models = {size.models: size for size in sizes}
    if {EXPONENT_FROM, EXPONENT_TO} <= by_models.keys():
        ours, theirs = (exponent(by_models[EXPONENT_FROM], by_models[EXPONENT_TO], p) for p in "PS")
        name = f"cost exponent of P - E, {EXPONENT_FROM} to {EXPONENT_TO} models"
        yield Bar(name, f"{ours:.2f}", f"≤ {theirs:.2f} + {EXPONENT_SLACK:g} (S)", ours <= theirs + EXPONENT_SLACK)
    if registry is not None:
        calls = sum(registry.next.values())
        name = f"registry calls, {registry.models} models with {registry.versions} versions"
        yield Bar(name, str(calls), f"≤ {registry.allowed}", calls <= registry.allowed)
    if imports is not None:
        yield Bar(
            "imports before the first registration, pinned",
            f"{imports.seconds:.2f} s, {'with' if imports.heavy else 'no'} {' or '.join(imports.heavy or HEAVY)}",
            f"≤ {IMPORT_SECONDS:g} s, no {' or '.join(HEAVY)}",
            imports.seconds <= IMPORT_SECONDS and not imports.heavy,
        )


def _ratio(size: Size, other: str, bar: float) -> Bar:
    new = size.situations["new"]
    ratio = new["P"].wall / new[other].wall
    return Bar(f"P/{other}, preview of {size.models} new models", f"{ratio:.2f}", f"≤ {bar:g}", ratio <= bar)


def bar_table(found: Iterable[Bar]) -> Iterator[str]:
    """Print bars."""
    yield "| what | measured | bar | |"
    yield "|---|---|---|---|"
    yield from map(str, found)


def size_tables(sizes: Sequence[Size]) -> Iterator[str]:
    """Print every situation of every size."""
    yield "| models (resources, payload) | what | program | wall (spread) | ÷ P | CPU Python + engine | RSS of both |"
    yield "|---|---|---|---|---|---|---|"
    for size in sizes:
        head = f"{size.models} ({size.resources}, {size.payload / 1000:.0f} kB)"
        for situation, programs in size.situations.items():
            for program, series in programs.items():
                yield f"| {head} | {situation} | {WORDS[program]} | {_numbers(series, programs['P'])} |"
        if size.state_bytes:
            each = size.state_bytes / (size.resources + 1)
            yield f"| {head} | state | | {size.state_bytes / 1000:.0f} kB, {each / 1000:.2f} kB a resource | | | |"


def _numbers(series: Series, ours: Series) -> str:
    cells = [
        f"{series.wall:.2f} s ({series.spread:.0%})",
        f"{series.wall / ours.wall:.2f}",
        f"{series.cpu('program'):.2f} + {series.cpu('engine'):.2f} s",
        f"{series.rss('program'):.0f} + {series.rss('engine'):.0f} MB",
    ]
    return " | ".join(cells)


def pure_table(found: Sequence[Pure]) -> Iterator[str]:
    """Print the pure path."""
    yield "| models | read and plan | compile | canonical bytes | ours | libyaml read | libyaml dump | ours ÷ libyaml |"
    yield "|---|---|---|---|---|---|---|---|"
    for pure in found:
        seconds = [pure.plan, pure.compiled, pure.canonical, pure.ours, pure.libyaml_read, pure.libyaml_dump]
        cells = [f"{value:.3f} s" for value in seconds]
        yield f"| {pure.models} | {' | '.join(cells)} | {pure.ours / pure.libyaml:.2f} |"


def registry_lines(found: RegistryCalls) -> Iterator[str]:
    """Print what was asked of MLflow."""
    for title, calls in (("first preview", found.first), ("next preview", found.next)):
        each = ", ".join(f"{count} x {path}" for path, count in sorted(calls.items())) or "none"
        yield f"- {title} of {found.models} following models: {sum(calls.values())} requests ({each})"


def noise(sizes: Iterable[Size]) -> Iterator[str]:
    """Say where the machine was not quiet."""
    for size in sizes:
        spread = size.situations["new"]["E"].spread
        if spread > NOISY:
            yield f"noisy: at {size.models} models the empty program varied by {spread:.0%}, not at most {NOISY:.0%}"


def put_into(document: Path, mark: str, tables: str) -> None:
    """Replace what stands between two marks of a document, as `<!-- bench -->` with `<!-- /bench -->`."""
    before, begin, rest = document.read_text().partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- /{mark} -->\n")
    if not end:
        raise SystemExit(f"{document}: expected a line <!-- {mark} --> and a line <!-- /{mark} --> after it")
    document.write_text(f"{before}{begin}\n{tables}\n\n{end}{after}")
