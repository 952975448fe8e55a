"""Readiness tests of objects: from the annotation `pulumi.com/waitFor`, or built in for a kind.

A test is a function from the live object to a text of what is missing; an empty text means that it is ready.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from slipway.objects import Object

Test = Callable[[Object], str]

WAIT_FOR = "pulumi.com/waitFor"
SKIP_AWAIT = "pulumi.com/skipAwait"

_STEP = re.compile(
    r"""\.(?P<name>[\w-]+)
      | \[\s*(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\s*\]
      | \[\s*(?P<index>-?\d+|\*)\s*\]
      | \[\?\(?\s*@\.(?P<key>[\w-]+)\s*==\s*(?P<mark>['"])(?P<want>.*?)(?P=mark)\s*\)?\]
      | (?P<all>\.\*)""",
    re.VERBOSE,
)


def annotation(obj: Object, name: str) -> str:
    """Return an annotation's text, empty without one."""
    return str(((obj.get("metadata") or {}).get("annotations") or {}).get(name) or "")


def ready_test(inputs: Object) -> Test | None:
    """Return the readiness test for these inputs; None if the object is not awaited.

    Raises:
        ValueError: `pulumi.com/waitFor` is malformed.
    """
    if annotation(inputs, SKIP_AWAIT) == "true":
        return None
    if text := annotation(inputs, WAIT_FOR):
        return parse(text)
    if inputs.get("kind") == "Deployment" and str(inputs.get("apiVersion")).startswith("apps/"):
        return _rolled_out
    return None


def parse(text: str) -> Test:
    """Read `condition=Type[=Status]`, `jsonpath={path}[=value]`, or a JSON array of these, which must all hold.

    Raises:
        ValueError: It is none of these.
    """
    expressions = [text]
    if text.lstrip().startswith("["):
        try:
            expressions = json.loads(text)
        except ValueError:
            raise ValueError(f"{WAIT_FOR}: {text!r} is not a JSON array of texts") from None
    if not expressions or not all(isinstance(item, str) for item in expressions):
        raise ValueError(f"{WAIT_FOR}: {text!r}: expected at least one text")
    tests = [_one(item) for item in expressions]

    def test(obj: Object) -> str:
        # A status older than the spec does not describe it.
        if missing := _stale(obj.get("status") or {}, obj, "status"):
            return missing
        return next(filter(None, (each(obj) for each in tests)), "")

    return test


def _one(expression: str) -> Test:
    form, _, rest = expression.partition("=")
    if form == "condition" and rest:
        kind, _, status = rest.partition("=")
        return _condition(kind, status or "True")
    if form == "jsonpath" and rest:
        match = re.fullmatch(r"""['"]?\{?(?P<path>[^{}]+?)\}?['"]?(?:=(?P<value>[^=\]]*))?""", rest)
        if match:
            value = match["value"]
            return _json_path(match["path"].strip(), None if value is None else value.strip("'\""))
    raise ValueError(f'{WAIT_FOR}: {expression!r}: expected "condition=Type[=Status]" or "jsonpath={{path}}[=value]"')


def _condition(kind: str, status: str) -> Test:
    def test(obj: Object) -> str:
        for condition in (obj.get("status") or {}).get("conditions") or []:
            if str(condition.get("type")).lower() != kind.lower():
                continue
            if missing := _stale(condition, obj, f"condition {kind}"):
                return missing
            if str(condition.get("status")).lower() == status.lower():
                return ""
            because = ": ".join(filter(None, (condition.get("reason"), condition.get("message"))))
            return f"condition {kind} is {condition.get('status')}, not {status}" + (f" ({because})" if because else "")
        return f"condition {kind} is not there yet"

    return test


def _json_path(path: str, value: str | None) -> Test:
    steps = _steps(path)

    def test(obj: Object) -> str:
        found = _select([obj], steps)
        if value is None:
            return "" if found else f"{path} is not there yet"
        if len(found) == 1 and _text(found[0]) == value:
            return ""
        return f"{path} is {', '.join(map(_text, found)) or 'not there yet'}, not {value}"

    return test


def _steps(path: str) -> list[re.Match[str]]:
    rest = path.removeprefix("$")
    rest = rest if rest[:1] in (".", "[") else f".{rest}"
    steps, at = [], 0
    while at < len(rest):
        match = _STEP.match(rest, at)
        if match is None:
            raise ValueError(f"{WAIT_FOR}: jsonpath {path!r}: cannot be read from {rest[at:]!r}")
        steps.append(match)
        at = match.end()
    return steps


def _select(found: list[Any], steps: list[re.Match[str]]) -> list[Any]:
    for step in steps:
        name = step["name"] or step["quoted"]
        if name is not None:
            found = [item[name] for item in found if isinstance(item, dict) and name in item]
        elif step["key"] is not None:
            found = [
                item
                for items in found
                for item in _items(items)
                if isinstance(item, dict) and step["key"] in item and _text(item[step["key"]]) == step["want"]
            ]
        elif step["all"] or step["index"] == "*":
            found = [item for items in found for item in _items(items)]
        else:
            index = int(step["index"])
            found = [items[index] for items in found if isinstance(items, list) and -len(items) <= index < len(items)]
    return found


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _stale(holder: Object, obj: Object, what: str) -> str:
    observed, generation = holder.get("observedGeneration"), (obj.get("metadata") or {}).get("generation")
    if isinstance(observed, int) and isinstance(generation, int) and observed < generation:
        return f"{what} is of generation {observed}, not {generation}"
    return ""


def _rolled_out(obj: Object) -> str:
    status, wanted = obj.get("status") or {}, (obj.get("spec") or {}).get("replicas", 1)
    if "observedGeneration" not in status:
        return "status is not there yet"
    if missing := _stale(status, obj, "status"):
        return missing
    updated, total, available = (status.get(key) or 0 for key in ("updatedReplicas", "replicas", "availableReplicas"))
    if updated == total == available == wanted:
        return ""
    return f"{available} of {wanted} replicas available, {updated} updated"
