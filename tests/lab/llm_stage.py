"""KServe's definitions for large language models, in the lab; its controller for them is not there."""

from __future__ import annotations

from typing import Any

import yaml

from slipway.compile.objects import Object
from slipway.lab import toolchain

DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
CRD = "github.com/kserve/kserve/config/crd/full"
FILES = (
    f"{CRD}/llmisvc/serving.kserve.io_llminferenceservices.yaml",
    f"{CRD}/localmodel/serving.kserve.io_localmodelcaches.yaml",
)


def established(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or []
    return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)


def define(lab: Any) -> None:
    """Make the lab's API server know LLMInferenceServices with the copies of their weights."""
    for file in FILES:
        definition = yaml.load((toolchain.data("charts") / file).read_text(), Loader=yaml.CSafeLoader)
        lab.kube.apply(definition, force=True)
        lab.kube.wait_for(*DEFINITION, definition["metadata"]["name"], None, established, timeout=60)
