"""Configuration of a provider resource."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from slipway.clients import kubeconfig
from slipway.clients.kube import Kube
from slipway.errors import SlipwayError
from slipway.lab.plugin.diff import Mutable
from slipway.lab.plugin.values import UNKNOWN
from slipway.objects import Object

#: Prefix of the provider's settings in ConfigureRequest.variables.
PREFIX = "kubernetes:config:"
IDENTIFIER = "clusterIdentifier"
#: Settings that select the cluster.
_CLUSTER_KEYS = ("kubeconfig", "context", "cluster")
#: Settings of the official plugin that the stand-in does not implement.
_UNSUPPORTED = ("renderYamlToDirectory", "alwaysRender")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of one provider resource.

    Args:
        kubeconfig: Path or content; None for the usual places.
        cluster: The cluster in it, instead of the context's.
        namespace: The namespace of objects that name none.
        upsert: Whether creating an existing object updates it.
        force: Whether to take fields over from other field managers.
        mutable: Kinds that are changed in place instead of replaced.
    """

    kubeconfig: str | None = None
    context: str | None = None
    cluster: str | None = None
    namespace: str | None = None
    upsert: bool = False
    force: bool = False
    mutable: Mutable = Mutable()  # noqa: RUF009  # frozen

    @classmethod
    def read(cls, variables: Mapping[str, str], environ: Mapping[str, str] = os.environ) -> Settings:
        """Read the settings from ConfigureRequest.variables; unset switches fall back to PULUMI_K8S_* variables."""

        def text(key: str) -> str | None:
            return variables.get(PREFIX + key) or None

        def switch(key: str, variable: str) -> bool:
            return (text(key) or environ.get(f"PULUMI_K8S_{variable}", "")).lower() in ("true", "1")

        return cls(
            kubeconfig=text("kubeconfig"),
            context=text("context"),
            cluster=text("cluster"),
            namespace=text("namespace"),
            upsert=switch("upsertExistingObjects", "UPSERT_EXISTING_OBJECTS"),
            force=switch("enablePatchForce", "ENABLE_PATCH_FORCE"),
            mutable=Mutable(
                config_maps=switch("enableConfigMapMutable", "ENABLE_CONFIGMAP_MUTABLE"),
                secrets=switch("enableSecretMutable", "ENABLE_SECRET_MUTABLE"),
            ),
        )

    def connect(self) -> Kube:
        """Return the client; nothing is sent yet.

        Raises:
            SlipwayError: There is no usable kubeconfig.
        """
        config, base = _load(self.kubeconfig)
        if self.cluster:
            name = self.context or config.get("current-context")
            for entry in config.get("contexts") or []:
                if entry["name"] == name:
                    entry["context"]["cluster"] = self.cluster
        return Kube.from_config(config, base, self.context)


def refusals(news: Object) -> dict[str, str]:
    """Return the settings that CheckConfig refuses, with the reasons."""
    return {
        key: f"{key} is not supported by the stand-in for pulumi-resource-kubernetes; install the official plugin"
        for key in _UNSUPPORTED
        if news.get(key) not in (None, "", False, "false")
    }


def compare(olds: Object, news: Object) -> tuple[list[str], list[str]]:
    """Return the changed settings, and those among them that replace the provider with all its objects.

    With an unchanged cluster identifier nothing is replaced, whatever else changed. Without one the active cluster's
    entry in the kubeconfig decides.
    """
    changed = sorted(key for key in {**olds, **news} if olds.get(key) != news.get(key))
    before, after = olds.get(IDENTIFIER), news.get(IDENTIFIER)
    if before and after:
        return changed, [IDENTIFIER] if before != after else []
    suspects = [key for key in _CLUSTER_KEYS if key in changed]
    unknown = [key for key in suspects if news.get(key) is UNKNOWN]
    if unknown:
        return changed, unknown
    old, new = _active_cluster(olds), _active_cluster(news)
    return changed, suspects if old and new and old != new else []


def _active_cluster(settings: Object) -> Any:
    """Return the kubeconfig's entry of the selected cluster, None where it cannot be read."""
    try:
        config, _ = _load(settings.get("kubeconfig") or None)
    except SlipwayError:
        return None
    context = settings.get("context") or config.get("current-context")
    contexts = {entry["name"]: entry.get("context") or {} for entry in config.get("contexts") or []}
    name = settings.get("cluster") or contexts.get(context, {}).get("cluster")
    return next((entry.get("cluster") for entry in config.get("clusters") or [] if entry["name"] == name), None)


def _load(given: str | None) -> tuple[Object, Path]:
    """Parse a kubeconfig given as content, as JSON text, or as a path."""
    if given is None:
        # Several files in KUBECONFIG would have to be merged; a lab writes only one, the first.
        given = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or "~/.kube/config"
    if "\n" not in given and not given.lstrip().startswith("{"):
        return kubeconfig.read(given)
    try:
        config = json.loads(given) if given.lstrip().startswith("{") else yaml.safe_load(given)
    except (ValueError, yaml.YAMLError) as error:
        raise SlipwayError(f"kubeconfig: not readable as YAML ({str(error).splitlines()[0]})") from None
    if not isinstance(config, dict):
        raise SlipwayError("kubeconfig: expected a mapping with clusters, users and contexts")
    return config, Path.cwd()
