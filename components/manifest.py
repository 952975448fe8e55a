"""Kubernetes objects as Pulumi resources.

pulumi_kubernetes has a class per kind, which takes half a second to import, and its constructors know fewer fields than
the API server. The engine only sees a type token and properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

import pulumi

PACKAGE = "kubernetes"
#: The plugin's version must be the one of the installed SDK, as if its own classes had been used.
VERSION = metadata.version("pulumi-kubernetes")


def token(manifest: Mapping[str, Any]) -> str:
    """Return the Pulumi type of an object; Kubernetes' unnamed core group is called `core`."""
    api_version = manifest["apiVersion"]
    group_version = api_version if "/" in api_version else f"core/{api_version}"
    return f"{PACKAGE}:{group_version}:{manifest['kind']}"


class Manifest(pulumi.CustomResource):
    """Resource for one Kubernetes object, given whole, camelCase as in YAML, and named like it by default."""

    def __init__(self, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions, name: str = "") -> None:
        options = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=VERSION))
        super().__init__(token(manifest), name or manifest["metadata"]["name"], dict(manifest), options)


class Provider(pulumi.ProviderResource):
    """Kubernetes provider of one cluster.

    Args:
        kubeconfig: A file or its content; without one the plugin would use an ambient kubeconfig.
        identifier: The cluster's identity; a change replaces the provider and all its objects.
        context: The kubeconfig's context; None takes its current one.
        namespace: Namespace of objects that name none.
        edits_config_maps: Whether a changed ConfigMap is updated in place instead of replaced.
        opts: Dependencies of all its objects.
    """

    def __init__(
        self,
        name: str,
        *,
        kubeconfig: pulumi.Input[str],
        identifier: str,
        context: str | None = None,
        namespace: str,
        edits_config_maps: bool = False,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        settings = {
            "kubeconfig": kubeconfig,
            "context": context,
            "clusterIdentifier": identifier,
            "namespace": namespace,
            "enableServerSideApply": True,
            "enableConfigMapMutable": edits_config_maps or None,
            # Lets an `up` be repeated that was killed after it created an object and before it recorded that.
            "upsertExistingObjects": True,
            # Without a timeout an address that swallows packets hangs a preview; the default of 50 requests a second
            # makes one of a thousand models wait for a minute and more.
            "kubeClientSettings": '{"burst": 400, "qps": 200, "timeout": 30}',
        }
        # Provider settings travel as JSON text, so the SDK's own class writes a flag as "true".
        texts = {key: "true" if value is True else value for key, value in settings.items() if value is not None}
        options = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=VERSION))
        super().__init__(PACKAGE, name, texts, options)
