"""S: the program that one writes first: Pulumi's own classes in a plain loop.

It declares what is in `objects.json`, which was recorded from Slipway's program: the same resources, of the same names
and parents, with the same properties, options and outputs.
"""

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.apiextensions import CustomResource
from pulumi_kubernetes.core.v1 import Service


class Component(pulumi.ComponentResource):
    """A component with its children."""

    def __init__(self, content: dict[str, Any], provider: kubernetes.Provider) -> None:
        super().__init__(content["token"], content["name"], None, pulumi.ResourceOptions(providers=[provider]))
        made: dict[str, pulumi.Resource] = {}
        for child in content["children"]:
            options = pulumi.ResourceOptions(
                parent=self,
                protect=child["protect"],
                ignore_changes=child["ignore_changes"],
                depends_on=[made[name] for name in child["depends_on"]],
            )
            made[child["name"]] = declare(child["name"], child["manifest"], options)
        self.register_outputs(content["outputs"])


def declare(name: str, manifest: dict[str, Any], options: pulumi.ResourceOptions) -> pulumi.Resource:
    """Declare one object by its class."""
    metadata, spec = manifest["metadata"], manifest["spec"]
    if manifest["kind"] == "Service":
        return Service(name, api_version="v1", kind="Service", metadata=metadata, spec=spec, opts=options)
    return CustomResource(name, manifest["apiVersion"], manifest["kind"], spec, metadata, options)


def settings(properties: dict[str, str]) -> dict[str, Any]:
    """Turn recorded provider properties into arguments: the SDK writes a flag, or an object, as JSON text."""
    return {
        re.sub(r"(?<!^)(?=[A-Z])", "_", key).lower(): json.loads(value)
        if value in ("true", "false") or value[0] == "{"
        else value
        for key, value in properties.items()
    }


content = json.loads(Path("objects.json").read_text())
provider = kubernetes.Provider(content["provider"]["name"], **settings(content["provider"]["properties"]))
for component in content["components"]:
    Component(component, provider)
for key, value in content["outputs"].items():
    pulumi.export(key, value)
