"""Pods of compiled objects' templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from slipway.objects import Object

#: The place of the pod template in each kind.
_TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "DaemonSet": ("spec", "template"),
    "Deployment": ("spec", "template"),
    "Job": ("spec", "template"),
    "StatefulSet": ("spec", "template"),
    "CronJob": ("spec", "jobTemplate", "spec", "template"),
    # It has no namespace; KServe makes pods of it in that of the models.
    "ClusterServingRuntime": (),
}


def pods_of(objects: Iterable[Mapping[str, Any]], models: str) -> Iterator[Object]:
    """Yield the pods of objects' templates, each named after its owner.

    Args:
        models: The namespace of the models.
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
