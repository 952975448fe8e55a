"""KServe's definitions for LLMs, in the lab; its controller for them is not there."""

from __future__ import annotations

import time
from typing import Any

import yaml

from slipway.clients.kube import KubeError
from slipway.objects import Object
from slipway.tools import toolchain

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
        _served(lab, definition["spec"])


def _served(lab: Any, spec: Object) -> None:
    """Wait until objects of a kind can be had: for seconds after it is established "storage is (re)initializing"."""
    version, deadline = next(each["name"] for each in spec["versions"] if each["storage"]), time.monotonic() + 60
    while True:
        try:
            lab.kube.list(f"{spec['group']}/{version}", spec["names"]["kind"], None)
            return
        except KubeError as error:
            if error.status not in (404, 429, 503) or time.monotonic() > deadline:
                raise
        time.sleep(0.1)
