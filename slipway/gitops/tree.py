"""The tree of files that Argo CD applies: the objects of an environment's models.

`<environment>/models/<model>/` is one Application for each model. An Application delivers one revision at a time, so a
candidate that never gets ready blocks only its own model. `<environment>/shared/metrics/` is one more.

Not in the tree, because Flagger writes them: the route, and the pair of Services, into which Flagger copies the
target's spec and metadata at every tick, including Argo CD's annotations. `components/delivered.py` creates the pair
once.
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

#: Argo CD applies a wave when all objects of the previous one are healthy. So a target moves only to servers that are
#: Ready. The Canary comes last: otherwise a delivery would last for a whole rollout, without self-healing.
WAVE = "argocd.argoproj.io/sync-wave"
WAVES: Mapping[str, int] = {"InferenceService": 0, "MetricTemplate": 0, "Service": 1, "Canary": 2}
#: Kinds that are written once, because a version never changes.
FIXED = frozenset({"InferenceService"})
#: Annotations that only Pulumi reads.
_PULUMI = "pulumi.com/"


@dataclass(frozen=True)
class File:
    """One file of the tree; a `fixed` one never changes once it is written."""

    text: str
    fixed: bool = False


#: Files by path below the tree's directory.
Files = Mapping[str, File]


def environment_files(
    environment: str, shared: Iterable[Object], compiled: Mapping[str, CompiledModel]
) -> dict[str, File]:
    """Return the files of an environment's shared objects and models.

    Raises:
        SlipwayError: An object must not be in Git.
    """
    found = files(shared, f"{environment}/shared/metrics")
    for model, each in compiled.items():
        found |= files(delivered(each), model_directory(environment, model))
    return found


def model_directory(environment: str, model: str) -> str:
    """Return the directory of a model's files."""
    return f"{environment}/models/{model}"


def delivered(compiled: CompiledModel) -> tuple[Object, ...]:
    """Return the objects of a model that are delivered by Git."""
    return (*compiled.inference_services, compiled.target, compiled.canary)


def files(objects: Iterable[Object], directory: str) -> dict[str, File]:
    """Return one file for each object, named after its wave, kind and name.

    Raises:
        SlipwayError: An object is a Secret, of an unknown kind, or a duplicate.
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
    """Return the canonical text of an object: equal objects give equal bytes."""
    body = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=True, allow_unicode=True, width=10_000)
    return HEADER + str(body)


def _as_delivered(each: Object) -> Object:
    """Return an object with the annotation of its wave; the first wave is the default."""
    metadata, wave = each["metadata"], WAVES[each["kind"]]
    annotations = {key: value for key, value in metadata.get("annotations", {}).items() if not key.startswith(_PULUMI)}
    if wave:
        annotations[WAVE] = str(wave)
    kept = {key: value for key, value in metadata.items() if key != "annotations"}
    return {**each, "metadata": {**kept, **({"annotations": annotations} if annotations else {})}}
