"""The pods that compiled objects lead to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from slipway.objects import Object

#: Where a kind keeps the template of its pods.
_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "DaemonSet": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    # Of any namespace; KServe makes pods of it where the models are.
    "ClusterServingRuntime": (),
}


def pods_of(objects: Iterable[Mapping[str, Any]], models: str) -> Iterator[Object]:
    """Make the pods that objects are templates of, each named like what makes it.

    Args:
        objects: Of any kind.
        models: The namespace that models are served in.
    """
    for each in objects:
        if each["kind"] in _TEMPLATES:
            template: Any = each
            for step in _TEMPLATES[each["kind"]]:
                template = template[step]
            metadata = {
                "name": f"of {each['kind']} {each['metadata']['name']}",
                "namespace": each["metadata"].get("namespace", models),
                "annotations": template.get("metadata", {}).get("annotations", {}),
            }
            yield {"kind": "Pod", "metadata": metadata, "spec": template["spec"]}
