"""The import rule: no circle of files, down the order that docs/architecture.md draws, heavy packages behind doors."""

from __future__ import annotations

import ast
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOPS = ("slipway", "components", "stacks")
#: Package to the only paths that may import it.
DOORS = {
    "pulumi": ("slipway/engine/deploy.py", "slipway/lab/plugin", "stacks", "components", "__main__.py"),
    "pulumi_kubernetes": ("slipway/lab/plugin", "stacks", "components", "__main__.py"),
    "mlflow": ("slipway/registry", "slipway/lab/seed"),
    "pulumi_aws": ("stacks/aws.py", "components/aws", "components/cluster.py"),
}


@dataclass(frozen=True)
class Import:
    """One imported name of one file: `a.b.c` for `from a.b import c`."""

    name: str
    line: int
    in_function: bool


def files() -> list[Path]:
    found = [file for top in TOPS for file in sorted((ROOT / top).rglob("*.py"))]
    return [file.relative_to(ROOT) for file in (*found, ROOT / "__main__.py")]


def module(file: Path) -> str:
    parts = file.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, in_function: bool = False) -> Iterator[Import]:
    """Yield every import, inside functions and under TYPE_CHECKING too."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno, in_function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module, f"line {node.lineno}: a relative import"
            yield from (Import(f"{node.module}.{alias.name}", node.lineno, in_function) for alias in node.names)
        else:
            function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from imports(node, in_function or function)


FILES = files()
IMPORTS = {file: tuple(imports(ast.parse((ROOT / file).read_text()))) for file in FILES}
MODULES = {module(file): file for file in FILES}


def own(name: str) -> str | None:
    """Return the module of ours that an imported name is, or stands in; None for anybody else's."""
    return next((each for each in (name, name.rpartition(".")[0]) if each in MODULES), None)


def graph() -> dict[str, set[str]]:
    found = {name: {own(each.name) for each in IMPORTS[file]} for name, file in MODULES.items()}
    return {name: {each for each in others if each and each != name} for name, others in found.items()}


def package(name: str) -> str:
    """Return the room of a module: a folder of slipway, a loose module of it, or another top-level name."""
    top, _, rest = name.partition(".")
    return rest.partition(".")[0] or "slipway" if top == "slipway" else top


def drawn() -> dict[str, int]:
    """Read the order of packages from docs/architecture.md: the row of each, counted from the top."""
    text = (ROOT / "docs/architecture.md").read_text()
    block = re.search(r"^## Order of imports\n.*?^```\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert block, "docs/architecture.md: no fenced block under 'Order of imports'"
    rows = [line.split() for line in block[1].splitlines()]
    assert len(set(itertools.chain(*rows))) == sum(map(len, rows)), "a package stands in two rows"
    return {name: number for number, row in enumerate(rows) for name in row}


def test_no_files_import_each_other_in_a_circle() -> None:
    try:
        TopologicalSorter(graph()).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_packages_import_only_what_stands_in_a_lower_row() -> None:
    rows = drawn()
    edges = {(package(name), package(other)) for name, others in graph().items() for other in others}
    assert set(itertools.chain(*edges)) <= set(rows), "docs/architecture.md lacks a package"
    assert set(rows) <= {package(name) for name in MODULES}, "docs/architecture.md draws a package that is gone"
    upwards = [f"{above} imports {below}" for above, below in edges if above != below and rows[above] >= rows[below]]
    assert not upwards


@pytest.mark.parametrize("file", FILES, ids=str)
def test_a_file_imports_what_its_place_allows(file: Path) -> None:
    for each in IMPORTS[file]:
        assert not (each.in_function and own(each.name)), f"{file}:{each.line} imports {each.name} inside a function"
        doors = DOORS.get(each.name.partition(".")[0])
        allowed = doors is None or any(file == Path(door) or Path(door) in file.parents for door in doors)
        assert allowed, f"{file}:{each.line} may not import {each.name}"


@pytest.mark.parametrize("file", [file for file in FILES if file != Path("slipway/cli/root.py")], ids=str)
def test_no_module_of_ours_is_imported_by_a_string(file: Path) -> None:
    # The one exception is the table of commands: `slipway --help` would otherwise load every one of them.
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            name = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
            assert isinstance(name, str), f"{file}:{node.lineno} imports by a name that is computed"
            assert not own(name), f"{file}:{node.lineno} imports {name} by a string"


@pytest.mark.parametrize(
    ("code", "not_loaded"),
    [
        # A pinned environment pays for no registry, and for no policies that it does not have.
        (
            "slipway.registry, slipway.models.pins, slipway.settings.environment, slipway.policy.check",
            ("mlflow", "boto3", "botocore", "cel_expr_python", "pulumi", "requests"),
        ),
        ("stacks.environment", ("mlflow", "boto3", "botocore", "cel_expr_python", "pulumi_aws", "aiohttp")),
        ("slipway.cli.root", ("mlflow", "boto3", "pulumi", "cel_expr_python", "aiohttp", "sklearn", "pandas")),
    ],
)
def test_heavy_packages_are_loaded_only_where_they_are_used(code: str, not_loaded: tuple[str, ...]) -> None:
    script = f"import sys, {code}; print([name for name in {not_loaded!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("file", [file for file in FILES if file.name != "__init__.py"], ids=str)
def test_a_module_is_named_by_its_docstring_and_stays_small(file: Path) -> None:
    text = (ROOT / file).read_text()
    assert ast.get_docstring(ast.parse(text)), f"{file} has no docstring"
    assert len(text.splitlines()) <= 300, f"{file} is too long"


def test_few_modules_lie_loose_in_slipway() -> None:
    assert len([file for file in (ROOT / "slipway").glob("*.py") if not file.name.startswith("__")]) <= 12
