"""What a program asked the engine for, read from the engine's own log of its calls (`PULUMI_DEBUG_GRPC`)."""

from __future__ import annotations

import hashlib
import json
import pickle
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from pulumi.runtime.proto import resource_pb2

STACK = "pulumi:pulumi:Stack"
PROVIDER = "pulumi:providers:"

#: What says how the program is written instead of what it asks for.
_MANNER = ("sourcePosition", "stackTrace", "hooks", "version", "propertyDependencies", "transforms", "packageRef")


@dataclass(frozen=True)
class Registration:
    """One RegisterResource call with its answer."""

    request: Mapping[str, Any]
    urn: str
    id: str

    @property
    def name(self) -> str:
        """The logical name."""
        return str(self.request["name"])

    @property
    def substance(self) -> str:
        """What it asks for, as canonical text: equal for equal resources, whatever program asked."""
        kept = {key: value for key, value in self.request.items() if key not in _MANNER and value}
        kept["dependencies"] = sorted(kept.get("dependencies", ()))
        kept["ignoreChanges"] = sorted(kept.get("ignoreChanges", ()))
        return json.dumps(kept, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True)
class Recording:
    """Everything that one run asked for.

    Args:
        registrations: In the order in which they were answered.
        outputs: Of components and of the stack, by URN.
    """

    registrations: tuple[Registration, ...]
    outputs: Mapping[str, Mapping[str, Any]]

    @cached_property
    def resources(self) -> tuple[Registration, ...]:
        """The registrations without the stack's own, which the SDK sends for every program."""
        return tuple(r for r in self.registrations if r.request["type"] != STACK)

    @cached_property
    def stack_outputs(self) -> Mapping[str, Any]:
        """What the program exports."""
        return next((value for urn, value in self.outputs.items() if f"::{STACK}::" in urn), {})

    @cached_property
    def provider(self) -> Registration:
        """The one provider."""
        (found,) = (r for r in self.resources if r.request["type"].startswith(PROVIDER))
        return found

    @cached_property
    def payload_bytes(self) -> int:
        """Size of the properties of all resources."""
        return sum(len(json.dumps(r.request.get("object", {}), separators=(",", ":"))) for r in self.resources)

    @cached_property
    def fingerprint(self) -> str:
        """Equal for two programs that ask for the same resources, bytes, options and outputs, in any order."""
        lines = sorted(r.substance for r in self.resources)
        lines += sorted(json.dumps([urn, value], sort_keys=True) for urn, value in self.outputs.items())
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def difference(self, other: Recording) -> str:
        """Say one thing in which two recordings differ, for a message."""
        mine, theirs = ({r.urn: r.substance for r in one.resources} for one in (self, other))
        for urn in sorted({*mine, *theirs}):
            if mine.get(urn) != theirs.get(urn):
                return f"{urn}:\n  {mine.get(urn, 'absent')}\n  {theirs.get(urn, 'absent')}"
        for urn in sorted({*self.outputs, *other.outputs}):
            if self.outputs.get(urn) != other.outputs.get(urn):
                return f"outputs of {urn}:\n  {self.outputs.get(urn)}\n  {other.outputs.get(urn)}"
        return "nothing"


def read(log: Path) -> Recording:
    """Read an engine log.

    Raises:
        ValueError: It holds no resource: the run was not logged.
    """
    registrations, outputs = [], {}
    with log.open() as lines:
        for call in map(json.loads, lines):
            method = call["method"].rpartition("/")[2]
            if call["progress"] != "response_completed" or "ResourceMonitor" not in call["method"]:
                continue
            if method == "RegisterResource":
                answer = call["response"]
                registrations.append(Registration(call["request"], answer["urn"], answer.get("id", "")))
            elif method == "RegisterResourceOutputs":
                outputs[call["request"]["urn"]] = call["request"].get("outputs", {})
    if not registrations:
        raise ValueError(f"{log}: no registration in it; expected a log of the engine's calls")
    return Recording(tuple(registrations), outputs)


def write_floor(recording: Recording, folder: Path) -> None:
    """Write what `programs/floor.py` sends."""
    requests = [
        [_message(r.request, resource_pb2.RegisterResourceRequest) for r in level] for level in _levels(recording)
    ]
    outputs = [
        _message({"urn": urn, "outputs": value}, resource_pb2.RegisterResourceOutputsRequest)
        for urn, value in recording.outputs.items()
        if f"::{STACK}::" not in urn
    ]
    provider = recording.provider
    content = requests, outputs, provider.urn, f"{provider.urn}::{provider.id}"
    (folder / "registrations.bin").write_bytes(pickle.dumps(content))
    (folder / "outputs.json").write_text(json.dumps(recording.stack_outputs))


def write_bare(recording: Recording, folder: Path) -> None:
    """Write what `programs/bare.py` declares."""
    children: dict[str, list[Registration]] = {}
    for registration in recording.resources:
        children.setdefault(registration.request.get("parent", ""), []).append(registration)
    names = {r.urn: r.name for r in recording.resources}
    provider = recording.provider
    content = {
        "provider": {"name": provider.name, "properties": provider.request["object"]},
        "outputs": recording.stack_outputs,
        "components": [
            {
                "token": component.request["type"],
                "name": component.name,
                "outputs": recording.outputs.get(component.urn, {}),
                "children": [_child(child, names) for child in children.get(component.urn, ())],
            }
            for component in recording.resources
            if not component.request.get("custom")
        ],
    }
    (folder / "objects.json").write_text(json.dumps(content))


def manifests(recording: Recording) -> list[dict[str, Any]]:
    """Return the Kubernetes objects."""
    return [dict(r.request["object"]) for r in recording.resources if r.request["type"].startswith("kubernetes:")]


def _child(child: Registration, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": child.name,
        "manifest": child.request["object"],
        "protect": child.request.get("protect"),
        "ignore_changes": child.request.get("ignoreChanges"),
        "depends_on": [names[urn] for urn in child.request.get("dependencies", ())],
    }


def _levels(recording: Recording) -> Iterator[list[Registration]]:
    """Yield the resources so that each stands after its parent, its provider, and what it depends on."""
    by_urn = {r.urn: r for r in recording.resources}
    depths: dict[str, int] = {}

    def depth(urn: str) -> int:
        if urn not in depths:
            request = by_urn[urn].request
            references = (request.get("provider", ""), *request.get("providers", {}).values())
            needed = {request.get("parent", ""), *request.get("dependencies", ())}
            needed |= {reference.rpartition("::")[0] for reference in references}
            depths[urn] = 1 + max((depth(other) for other in needed if other in by_urn), default=0)
        return depths[urn]

    for wanted in range(1, 1 + max(map(depth, by_urn))):
        yield [r for r in recording.resources if depths[r.urn] == wanted]


def _message(content: Mapping[str, Any], kind: Any) -> bytes:
    """Return the protobuf message of a logged call, without what only the SDK adds to it."""
    lean = {key: value for key, value in content.items() if key not in ("sourcePosition", "stackTrace")}
    return bytes(json_format.ParseDict(lean, kind(), ignore_unknown_fields=True).SerializeToString())
