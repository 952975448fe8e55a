"""One Kubernetes object as a Pulumi resource.

pulumi_kubernetes has a class per kind; importing them costs half a second, and their constructors know fewer fields
than the API server does. The engine only sees a type token with properties, so that is all there is here.
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
    """Say the Pulumi type of an object: the core group, which has no name in Kubernetes, has one here."""
    api_version = manifest["apiVersion"]
    group_version = api_version if "/" in api_version else f"core/{api_version}"
    return f"{PACKAGE}:{group_version}:{manifest['kind']}"


class Manifest(pulumi.CustomResource):
    """One object.

    Args:
        manifest: The whole object, camelCase as in YAML.
        opts: Options of the resource; its provider comes from the parent.
        name: The logical name; empty takes the object's.
    """

    def __init__(self, manifest: Mapping[str, Any], opts: pulumi.ResourceOptions, name: str = "") -> None:
        options = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=VERSION))
        super().__init__(token(manifest), name or manifest["metadata"]["name"], dict(manifest), options)


class Provider(pulumi.ProviderResource):
    """The Kubernetes provider of one cluster.

    Args:
        name: The logical name.
        kubeconfig: A file, or the content of one; never left to the plugin, which would take an ambient one.
        identifier: The cluster's identity: the provider, with all that it made, is replaced only if this changes.
        context: The kubeconfig's context; None takes its current one.
        namespace: Where an object goes that names none.
        edits_config_maps: Whether a ConfigMap whose content changes is changed in place; else it is deleted first.
        opts: What must be there before anything that it makes, and goes after it.
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
            # An `up` that was killed after it created an object, before it noted that, can be repeated.
            "upsertExistingObjects": True,
            # Without a timeout an address that swallows packets hangs a preview; the default of 50 requests a second
            # makes one of a thousand models wait for a minute and more.
            "kubeClientSettings": '{"burst": 400, "qps": 200, "timeout": 30}',
        }
        # Provider settings travel as JSON text, so the SDK's own class writes a flag as "true".
        texts = {key: "true" if value is True else value for key, value in settings.items() if value is not None}
        options = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=VERSION))
        super().__init__(PACKAGE, name, texts, options)
