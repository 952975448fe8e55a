"""The objects of an environment's models, as the files that Argo CD applies.

`<environment>/models/<model>/` is one Application for each model, because an Application is one at a time with its
deliveries: a candidate that never gets ready holds up nobody else. `<environment>/shared/metrics/` is one more.

Not in the tree, each because another writes it: the route (Flagger makes it), the pair of Services (Flagger puts the
target's whole spec and metadata into it at every look, Argo CD's own annotations among them; `components/delivered.py`
creates it once).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from slipway.compile import CompiledModel
from slipway.documents import HEADER
from slipway.errors import SlipwayError
from slipway.objects import Object

#: Argo CD applies a wave when all objects of the one before are healthy. So a target moves to servers that are Ready,
#: and the Canary comes last: a whole rollout would else be one delivery that is under way, in which nothing is healed.
WAVE = "argocd.argoproj.io/sync-wave"
WAVES: Mapping[str, int] = {"InferenceService": 0, "MetricTemplate": 0, "Service": 1, "Canary": 2}
#: KServe's objects are written once: a version never changes, a rollout brings the next one.
FIXED = frozenset({"InferenceService"})
#: Annotations that only Pulumi reads.
_PULUMI = "pulumi.com/"


@dataclass(frozen=True)
class File:
    """One file of the tree.

    Args:
        text: What stands in it.
        fixed: Whether it stays as it is once it has been written.
    """

    text: str
    fixed: bool = False


#: Path, below the tree's directory, to file.
Files = Mapping[str, File]


def environment_files(
    environment: str, shared: Iterable[Object], compiled: Mapping[str, CompiledModel]
) -> dict[str, File]:
    """Write the objects of an environment as files.

    Args:
        environment: Its name.
        shared: What all models share.
        compiled: The objects of each model.

    Raises:
        SlipwayError: An object may not stand in Git.
    """
    found = files(shared, f"{environment}/shared/metrics")
    for model, each in compiled.items():
        found |= files(delivered(each), model_directory(environment, model))
    return found


def model_directory(environment: str, model: str) -> str:
    """Say where a model's files are."""
    return f"{environment}/models/{model}"


def delivered(compiled: CompiledModel) -> tuple[Object, ...]:
    """Return the objects of a model that come by Git."""
    return (*compiled.inference_services, compiled.target, compiled.canary)


def files(objects: Iterable[Object], directory: str) -> dict[str, File]:
    """Write objects as one file each, named after what they are, in the order in which they are applied.

    Raises:
        SlipwayError: One is a Secret, of no kind that is known here, or there twice.
    """
    found: dict[str, File] = {}
    for each in objects:
        kind, name = str(each["kind"]), str(each["metadata"]["name"])
        if kind not in WAVES:
            reason = "a Secret never stands in Git" if kind == "Secret" else f"the tree takes {', '.join(WAVES)}"
            raise SlipwayError(f"{directory}: {kind} {name} cannot be delivered by Git: {reason}")
        path = f"{directory}/{10 * (WAVES[kind] + 1)}-{kind.lower()}-{name}.yaml"
        if path in found:
            raise SlipwayError(f"{directory}: {kind} {name} is there twice; each object has one file")
        found[path] = File(text(_as_delivered(each)), kind in FIXED)
    return found


def text(content: Mapping[str, Any]) -> str:
    """Return the canonical text of an object: equal objects are equal bytes, in whatever order they were made."""
    body = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=True, allow_unicode=True, width=10_000)
    return HEADER + str(body)


def _as_delivered(each: Object) -> Object:
    """Put an object into its wave; the first is the default, which needs no word."""
    metadata, wave = each["metadata"], WAVES[each["kind"]]
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if not key.startswith(_PULUMI)}
    if wave:
        annotations[WAVE] = str(wave)
    kept = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**each, "metadata": {**kept, **({"annotations": annotations} if annotations else {})}}
