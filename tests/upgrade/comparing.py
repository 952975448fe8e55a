"""What an upgrade changes in an environment that runs: each difference, with the harm that it does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from slipway.lab.plugin.diff import Mutable, replace_paths

DIFFERENCES = Path(__file__).resolve().parent / "differences.yaml"

#: A change of one of these changes the pods of model servers (kserve pkg/controller).
SERVING = {
    "InferenceService",
    "LLMInferenceService",
    "ClusterServingRuntime",
    "LLMInferenceServiceConfig",
    "ClusterStorageContainer",
}
#: What KServe adds to every model server stands in this ConfigMap.
KSERVE_CONFIG = "inferenceservice-config"
#: Where each kind has its pods.
PODS = {
    "CronJob": "spec/jobTemplate",
    "DaemonSet": "spec/template",
    "Deployment": "spec/template",
    "Job": "spec/template",
    "StatefulSet": "spec/template",
}
#: The digest of a system's own files: it reads them when it starts, so a corrected text in one of them starts it again.
#: It must be listed, and no model server has it.
FILES = "spec/template/metadata/annotations/slipway.dev~1files"
#: What moves traffic: Flagger begins a rollout when the spec of a target changes.
ROUTED = {"Service": ("spec",), "Canary": ("spec/targetRef", "spec/provider", "spec/service")}
#: Fields of AWS resources that change in place, by type; of any other field it is not known here, and a replaced
#: cluster or database is a lost one. Terraform's AWS provider marks the others "Forces new resource".
IN_PLACE: Mapping[str, frozenset[str]] = {}
IDENTITY = {"pulumi:providers:kubernetes": "clusterIdentifier", "pulumi:providers:aws": "region"}
#: Keys by which entries of a list are called, for paths that say more than a number.
NAMES = ("alert", "record", "name", "id", "title")

CREATED, DELETED = "(created)", "(deleted)"
_ABSENT: Any = object()

#: What the engine gets of one resource: see recording.py.
Registration = Mapping[str, Any]
#: All of an environment, by URN without stack and project.
Registrations = Mapping[str, Registration]


@dataclass(frozen=True)
class Difference:
    """One thing that an upgrade changes.

    Args:
        urn: The resource, without stack and project.
        field: Its path, as in a JSON pointer without the first slash; or what happens to the whole resource.
        was: What was recorded.
        now: What is registered.
        harm: What users, or the environment, would suffer; empty where it is a matter of review.
    """

    urn: str
    field: str
    was: Any = None
    now: Any = None
    harm: str = ""

    def __str__(self) -> str:
        mark = f"{self.harm.upper()}: " if self.harm else ""
        change = (
            "" if self.field in (CREATED, DELETED) else f"\n    was: {_shown(self.was)}\n    now: {_shown(self.now)}"
        )
        return f"{mark}{self.urn}: {self.field}{change}"


@dataclass(frozen=True)
class Expected:
    """An entry of `differences.yaml`: a difference that was reviewed.

    Args:
        cases: In which cases it occurs; in each of them it must.
        object: Pattern of the URN.
        field: Pattern of the field.
        reason: Why it is right.
    """

    cases: tuple[str, ...]
    object: str
    field: str
    reason: str

    def covers(self, difference: Difference) -> bool:
        """Tell whether a difference is this one."""
        return fnmatchcase(difference.urn, self.object) and fnmatchcase(difference.field, self.field)


def reviewed(path: Path = DIFFERENCES) -> list[Expected]:
    """Read the list of differences."""
    entries = yaml.safe_load(path.read_text())["differences"]
    return [Expected(**{**entry, "cases": tuple(entry["cases"])}) for entry in entries]


def complaints(case: str, found: Sequence[Difference], expected: Sequence[Expected]) -> list[str]:
    """Say what speaks against an upgrade: harm, whatever the list says; what is not listed; what is listed in vain."""
    here = [entry for entry in expected if case in entry.cases]
    harmful = [str(each) for each in found if each.harm]
    unlisted = [
        f"not in {DIFFERENCES.name}: {each}"
        for each in found
        if not each.harm and not any(entry.covers(each) for entry in here)
    ]
    vain = [
        f"in {DIFFERENCES.name}, but it no longer occurs in {case}: {entry.object}: {entry.field}"
        for entry in here
        if not any(entry.covers(each) for each in found)
    ]
    return [*harmful, *unlisted, *vain]


def compare(before: Registrations, after: Registrations) -> list[Difference]:
    """Compare what was registered with what is."""
    found = []
    for urn in {**before, **after}:
        if urn not in after:
            found.append(Difference(urn, DELETED, harm="deletion"))
        elif urn not in before:
            harm = "rollout" if _kind(urn) in SERVING else ""
            found.append(Difference(urn, CREATED, harm=harm))
        else:
            found += _compared(urn, before[urn], after[urn], after)
    return found


def _compared(
    urn: str, old: Mapping[str, Any], new: Mapping[str, Any], after: Mapping[str, Any]
) -> Iterator[Difference]:
    for key in ("parent", "provider"):
        if old[key] != new[key]:
            yield Difference(urn, f"({key})", old[key], new[key], "replacement")
    if old["dependencies"] != new["dependencies"]:
        yield Difference(urn, "(dependencies)", old["dependencies"], new["dependencies"])
    for field, was, now in changes(old["options"], new["options"]):
        yield Difference(urn, f"(options)/{field}", was, now)
    provider = after.get(new["provider"], {}).get("inputs", {})
    mutable = Mutable(config_maps=provider.get("enableConfigMapMutable") == "true")
    for field, was, now in changes(old["inputs"], new["inputs"]):
        yield Difference(urn, field, was, now, harm_of(urn, field, new["inputs"], mutable))


def harm_of(urn: str, field: str, inputs: Mapping[str, Any], mutable: Mutable) -> str:
    """Say what a change of one input does."""
    type_, kind = _type(urn), _kind(urn)
    if type_ in IDENTITY:
        return "replacement" if _under(field, IDENTITY[type_]) else ""
    if type_.startswith("aws:"):
        top = field.partition("/")[0]
        return "" if top in ("tags", "tagsAll") or top in IN_PLACE.get(type_, ()) else "replacement"
    if not type_.startswith("kubernetes:"):
        return ""
    name = inputs.get("metadata", {}).get("name")
    if kind in SERVING or (kind, name) == ("ConfigMap", KSERVE_CONFIG):
        return "restart"
    if urn.startswith("slipway:model:") and any(_under(field, part) for part in ROUTED.get(kind, ())):
        return "rollout"
    if any(_under(field, "/".join(map(str, path))) for path in replace_paths(dict(inputs), mutable)):
        return "replacement"
    if kind in PODS and _under(field, PODS[kind]) and field != FILES:
        return "restart"
    return ""


def changes(old: Any, new: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where two values differ; YAML or JSON in a text is looked into."""
    if old is not _ABSENT and new is not _ABSENT and type(old) is type(new):
        if isinstance(old, dict):
            for key in sorted({**old, **new}):
                yield from changes(old.get(key, _ABSENT), new.get(key, _ABSENT), _below(path, key))
            return
        if isinstance(old, list) and (names := _names(old)) is not None and names == _names(new):
            for name, was, now in zip(names, old, new, strict=True):
                yield from changes(was, now, _below(path, name))
            return
        if isinstance(old, str) and old != new and (parsed := _parsed(old)) and (other := _parsed(new)):
            inside = list(changes(parsed, other, path))
            yield from inside or [(path, old, new)]
            return
    if old is _ABSENT or new is _ABSENT or old != new or type(old) is not type(new):
        yield path, None if old is _ABSENT else old, None if new is _ABSENT else new


def _names(entries: Sequence[Any]) -> list[str] | None:
    """Call the entries of a list by their names, where all have one of their own; else by their numbers."""
    for key in NAMES:
        names = [each.get(key) if isinstance(each, dict) else None for each in entries]
        if entries and all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
            return [str(name) for name in names]
    return [str(number) for number in range(len(entries))]


def _parsed(text: str) -> Any:
    if "\n" not in text and text[:1] not in ("{", "["):
        return None
    try:
        found = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError:
        return None
    return found if isinstance(found, dict | list) else None


def _below(path: str, key: str) -> str:
    key = key.replace("~", "~0").replace("/", "~1")
    return f"{path}/{key}" if path else key


def _under(field: str, path: str) -> bool:
    """Tell whether a change of `field` touches `path`: below it, or above it."""
    return f"{field}/".startswith(f"{path}/") or f"{path}/".startswith(f"{field}/")


def _type(urn: str) -> str:
    return urn.partition("::")[0].rpartition("$")[2]


def _kind(urn: str) -> str:
    return _type(urn).rpartition(":")[2]


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= 600 else f"{text[:600]}…"
