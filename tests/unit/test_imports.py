"""The import rule: down only, with pulumi and mlflow each behind one door."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: From the top down; a layer imports itself and what stands below it.
LAYERS = ["__main__.py", "stacks", "components", "slipway"]
#: Package to the only paths that may import it.
DOORS = {
    "pulumi": ("slipway/engine/deploy.py", "slipway/lab/plugin", "stacks", "components", "__main__.py"),
    "pulumi_kubernetes": ("slipway/lab/plugin", "stacks", "components", "__main__.py"),
    "mlflow": ("slipway/registry", "slipway/lab/seed"),
    "pulumi_aws": ("stacks/aws.py", "components/aws", "components/cluster.py"),
}


def sources() -> list[Path]:
    roots = [ROOT / layer for layer in LAYERS]
    files = [file for root in roots for file in ([root] if root.is_file() else sorted(root.rglob("*.py")))]
    return [file.relative_to(ROOT) for file in files]


def imports(tree: ast.AST, *, run: bool = False) -> Iterator[str]:
    """Yield imported module names; with `run`, only those that importing the module itself runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif run and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        elif run and isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from (name for other in node.orelse for name in imports(other, run=run))
        else:
            yield from imports(node, run=run)


def within(file: Path, door: str) -> bool:
    return file == Path(door) or Path(door) in file.parents


@pytest.mark.parametrize("file", sources(), ids=str)
def test_a_module_imports_only_what_its_place_allows(file: Path) -> None:
    tree = ast.parse((ROOT / file).read_text())
    layer = LAYERS.index(file.parts[0])
    above = {Path(name).stem for name in LAYERS[:layer]}
    for name in imports(tree):
        package = name.partition(".")[0]
        assert package not in above, f"{file} imports {name}, which stands above it"
        for guarded, doors in DOORS.items():
            assert package != guarded or any(within(file, door) for door in doors), f"{file} may not import {name}"


@pytest.mark.parametrize("file", [f for f in sources() if within(f, "slipway/registry")], ids=str)
def test_the_registry_imports_heavy_packages_only_inside_functions(file: Path) -> None:
    heavy = set(imports(ast.parse((ROOT / file).read_text()), run=True))
    assert not heavy & {"mlflow", "boto3", "botocore"}, file


def test_a_pinned_environment_pays_for_no_registry_and_for_no_policies_that_it_does_not_have() -> None:
    code = (
        "import sys, slipway.registry, slipway.models.pins, slipway.settings.environment, slipway.models.spec;"
        "import slipway.policy.check;"
        "heavy = ('mlflow', 'boto3', 'botocore', 'cel_expr_python', 'pulumi', 'requests');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("file", [file for file in sources() if file.name != "__init__.py"], ids=str)
def test_a_module_says_one_thing_and_stays_small(file: Path) -> None:
    text = (ROOT / file).read_text()
    said = ast.get_docstring(ast.parse(text)) or ""
    first = said.split("\n\n")[0].split(". ")[0]
    assert first, f"{file} has no docstring"
    assert len(text.splitlines()) < 300, f"{file} is too long"
