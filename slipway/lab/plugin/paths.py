"""Property paths of Pulumi: `spec.rules[0]["a.b"].*`."""

from __future__ import annotations

import re
from typing import Any

Path = tuple[str | int, ...]

#: Step that matches any other.
WILDCARD = "*"

_STEP = re.compile(r'\["((?:[^"\\]|\\.)*)"\]|\[(\d+|\*)\]|\.?([^.\[\]"]+)')


def parse(text: str) -> Path:
    """Return the steps of a path.

    Raises:
        ValueError: The path is malformed.
    """
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None:
            raise ValueError(f"property path {text!r}: cannot be read from position {at}")
        quoted, index, name = match.groups()
        if quoted is not None:
            steps.append(re.sub(r"\\(.)", r"\1", quoted))
        elif index is not None:
            steps.append(int(index) if index.isdigit() else index)
        else:
            steps.append(name)
        at = match.end()
    return tuple(steps)


def render(path: Path) -> str:
    """Return the text of a path for the engine."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif not step or re.search(r'[."\[\]]', step):
            text += '["' + step.replace('"', '\\"') + '"]'
        else:
            text += f".{step}" if text else step
    return text


def covers(prefix: Path, path: Path) -> bool:
    """Return whether `path` is `prefix` or lies below it."""
    return len(prefix) <= len(path) and all(want in (WILDCARD, have) for want, have in zip(prefix, path, strict=False))


def get(obj: Any, path: Path) -> Any:
    """Return the value at a path.

    Raises:
        KeyError: There is none.
    """
    for step in path:
        try:
            obj = obj[step]
        except (TypeError, IndexError):
            raise KeyError(step) from None
    return obj


def drop(obj: Any, path: Path) -> None:
    """Remove the value at a path, in place; a missing one is ignored."""
    try:
        del get(obj, path[:-1])[path[-1]]
    except (KeyError, IndexError, TypeError):
        return


def put(obj: Any, path: Path, value: Any) -> None:
    """Set the value at a path, in place; missing parents are made."""
    for step in path[:-1]:
        obj = obj.setdefault(step, {}) if isinstance(obj, dict) else obj[step]
    obj[path[-1]] = value
