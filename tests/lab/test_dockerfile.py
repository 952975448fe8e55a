"""The image of the judge with observe has all that they import."""

from __future__ import annotations

import re
import subprocess
import sys

from projects import CHECKOUT

#: Prints which distributions were loaded, by what they are called in a requirement.
LOADED = """
import sys
from importlib import metadata
import slipway.judge.service, slipway.observe.service, slipway.cli.root, scipy.stats, uvicorn
of = metadata.packages_distributions()
print(*sorted({name for module in sys.modules for name in of.get(module.partition(".")[0], ())}))
"""


def named() -> set[str]:
    (line,) = re.findall(r"-c constraints.txt \\\n(.+)", (CHECKOUT / "Dockerfile").read_text())
    return {canonical(name) for name in line.split()}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(name: str) -> set[str]:
    """A distribution with all that it needs in turn."""
    from importlib import metadata

    found, todo = set[str](), [name]
    while todo:
        each = canonical(todo.pop())
        if each in found:
            continue
        found.add(each)
        for requirement in metadata.requires(each) or ():
            if "extra ==" not in requirement:
                wanted = re.match(r"[\w.-]+", requirement)
                try:
                    metadata.version(wanted[0] if wanted else "")
                except metadata.PackageNotFoundError:
                    continue
                todo.append(wanted[0] if wanted else "")
    return found


def test_all_that_the_judge_and_observe_import_is_in_their_image() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=CHECKOUT, capture_output=True, text=True, check=True)
    brought = set().union(*map(needed, named()))
    assert {canonical(name) for name in done.stdout.split()} - {"slipway", "setuptools", "pip"} <= brought
