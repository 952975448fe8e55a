"""The documents against the checkout: rows of docs/coverage.md with their tests, paths and links of all pages."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest
import typer
from projects import CHECKOUT

from slipway.cli.root import app
from slipway.errors import ExitCode

STATES = {"there", "in part", "not yet", "declined"}
TEXT = (CHECKOUT / "docs/coverage.md").read_text()
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in TEXT.splitlines() if re.match(r"\| [AB]\d", line)]
#: A test file or function, with the target of `make` that runs it, if `make test` does not.
TEST = re.compile(r"`(tests/[^`]+)`(?: \(in `(make [a-z-]+)`\))?")
#: The target that runs what carries a marker; pyproject.toml keeps these out of `make test`.
TARGETS = {"soak": "make soak", "policies": "make test-policies", "platform": "make test-platform"}
PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
#: What is below a folder of the checkout; not a URL's path, not an object of a namespace (`id=models/churn`).
TOP = "|".join(re.escape(each.name) for each in CHECKOUT.iterdir() if each.is_dir() and each.name[0] != ".")
NAMED = re.compile(rf"(?<![\w./<=-])((?:{TOP})/[\w./-]*[\w/]|Pulumi\.\w+\.yaml)(?![\w*<{{…])")
#: What is not in the checkout: files that commands write, entries of a secret store, an example's stack.
ELSEWHERE = re.compile(r"^(ledger|incidents|manifests)/|/\.venv\b|^slipway/(staging|prod)/|^pins/prod-eu\.yaml")
SOURCES = [
    f"/{file.relative_to(CHECKOUT)}"
    for top in ("slipway", "components", "stacks", "tests", "tools")
    for file in (CHECKOUT / top).rglob("*.py")
]


@cache
def functions(path: Path) -> dict[str, set[str]]:
    """Return the test functions of a file with their markers that `make test` leaves out."""
    tree = ast.parse(path.read_text())
    of_module = {name for node in tree.body if isinstance(node, ast.Assign) for name in marks(node)}
    return {
        node.name: of_module.union(*map(marks, node.decorator_list))
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def marks(node: ast.AST) -> set[str]:
    """Return the names in an expression that are markers which `make test` leaves out."""
    return {each.attr for each in ast.walk(node) if isinstance(each, ast.Attribute)} & TARGETS.keys()


def faults(row: list[str]) -> list[str]:
    """Return what is wrong with one row."""
    if len(row) != 5:
        return [f"{row[0]}: {len(row)} cells, expected 5: row, what is asked, state, what is built, shown by"]
    number, _, state, built, shown = row
    found = [] if state in STATES else [f"{number}: {state!r} is no state"]
    if len(built.split()) < 3:
        found.append(f"{number}: says neither what is built nor the reason why it is not")
    named = TEST.findall(shown)
    if state == "there" and not any("::" in test for test, _ in named):
        found.append(f"{number}: is there, but names no test function")
    if state == "in part" and not named and "`make " not in shown:
        found.append(f"{number}: is there in part, but names no test")
    for test, target in named:
        file, _, function = test.partition("::")
        if not (CHECKOUT / file).is_file():
            found.append(f"{number}: there is no {file}")
            continue
        tests = functions(CHECKOUT / file)
        if function and function not in tests:
            found.append(f"{number}: {file} has no {function}")
            continue
        marked = tests[function] if function else set().union(*tests.values())
        expected = next((TARGETS[name] for name in marked), "")
        if target != expected:
            found.append(f"{number}: {test} is run by {expected or 'make test'}, the row says {target or 'make test'}")
    return found


def test_every_row_of_the_sources_stands_there_once() -> None:
    assert [row[0] for row in ROWS] == [*(f"A{n}" for n in range(1, 40)), *(f"B{n}" for n in range(1, 98))]


def test_every_row_has_a_state_a_reason_and_tests_that_exist() -> None:
    assert [fault for row in ROWS for fault in faults(row)] == []


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        ("A1 | x | done | built as asked | `tests/unit/test_coverage.py`", "'done' is no state"),
        ("A1 | x | there | built as asked | `tests/unit/test_coverage.py`", "names no test function"),
        ("A1 | x | in part | built in part |", "names no test"),
        ("A1 | x | not yet | later |", "neither what is built nor the reason"),
        ("A1 | x | declined | |", "neither what is built nor the reason"),
        ("A1 | x | not yet | is not built", "4 cells"),
        ("A1 | x | in part | built in part | `tests/unit/test_nothing.py`", "there is no tests/unit/test_nothing.py"),
        ("A1 | x | there | built as asked | `tests/lab/test_up.py::test_gone`", "has no test_gone"),
        (
            "A1 | x | there | built as asked | `tests/lab/test_gitops.py::test_one_commit_is_a_whole_rollout`",
            "is run by make test-platform, the row says make test",
        ),
        (
            "A1 | x | in part | built in part | `tests/lab/test_soak.py` (in `make test-policies`)",
            "is run by make soak, the row says make test-policies",
        ),
        (
            "A1 | x | in part | built in part | `tests/unit/test_coverage.py` (in `make soak`)",
            "is run by make test, the row says make soak",
        ),
    ],
)
def test_a_wrong_row_is_found(row: str, fault: str) -> None:
    (found,) = faults([cell.strip() for cell in row.split("|")])
    assert fault in found


def test_the_sums_are_right() -> None:
    said = re.findall(r"([0-9]+) (?:are )?(there|in part|not yet|declined)", TEXT.partition("| row")[0])
    assert {state: int(number) for number, state in said} == {
        state: sum(row[2] == state for row in ROWS) for state in STATES
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    named = {path.split("::")[0] for path in NAMED.findall(text) if not ELSEWHERE.search(path)}
    assert sorted(path for path in named if not (CHECKOUT / path).exists()) == []
    # Modules by their end: `run.py` after `slipway/judge/`.
    modules = set(re.findall(r"`([\w./-]+\.py)\b", text))
    assert sorted(name for name in modules if not any(file.endswith(f"/{name}") for file in SOURCES)) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        file, _, heading = link.partition("#")
        target = page.parent / file if file else page
        assert target.is_file(), link
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert not heading or heading in anchors, link


def test_the_readme_can_be_read_in_one_go() -> None:
    assert len((CHECKOUT / "README.md").read_text().splitlines()) <= 130


def test_every_command_and_every_exit_code_is_explained() -> None:
    text = (CHECKOUT / "docs/commands.md").read_text()
    rows = re.findall(r"^\| `slipway ([^`]+)` \|", text, re.MULTILINE)
    named = {(words[0], word) for words in map(str.split, rows) for word in words}
    for name, command in typer.main.get_command(app).commands.items():
        for each in getattr(command, "commands", [name]):
            assert (name, each) in named, f"slipway {name} {each}"
    assert [code for code in ExitCode if f"| {int(code)} | {code.meaning} |" not in text] == []
