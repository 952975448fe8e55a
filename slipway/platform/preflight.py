"""Checks of the cluster before an installation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from slipway.clients.kube import Kube
from slipway.errors import SlipwayError
from slipway.objects import Object

DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
#: Names and owners without megabytes of schemas.
SUMMARY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
#: Prefix of the field managers of Pulumi's plugins, the project's included.
OURS = "pulumi-kubernetes"


def check(kube: Kube, components: Mapping[str, Iterable[Object]], brought: Collection[str] = ()) -> list[str]:
    """Check a cluster before components are installed into it.

    Args:
        components: The objects of each, by name.
        brought: API groups that the cluster brings itself, possibly later.

    Returns:
        Notices.

    Raises:
        SlipwayError: The installation would fail half-way, or the cluster does not answer.
    """
    definitions = {
        each["metadata"]["name"]: each
        for objects in components.values()
        for each in objects
        if each["kind"] == DEFINITION[1]
    }
    foreign = _foreign(kube, definitions)
    for name in foreign:
        _refuse_lost_versions(kube.get(*DEFINITION, name), definitions[name])
    own = {each["spec"]["group"] for each in definitions.values()}
    _refuse_unknown_kinds(kube, components, own | set(brought))
    if not foreign:
        return []
    by = ", ".join(sorted({manager for managers in foreign.values() for manager in managers}))
    return [
        f"{len(foreign)} CustomResourceDefinitions exist already, written by {by}; up replaces them with the pinned"
        f" ones and keeps their objects: {', '.join(sorted(foreign))}"
    ]


def _foreign(kube: Kube, definitions: Mapping[str, Object]) -> dict[str, set[str]]:
    """Return the existing definitions that another program wrote, each with its field managers."""
    found = {}
    for each in kube.request("GET", kube.url_of(*DEFINITION), accept=SUMMARY)["items"]:
        fields = each["metadata"].get("managedFields", ())
        managers = {entry["manager"] for entry in fields if not entry.get("subresource")}
        ours = any(manager.startswith(OURS) for manager in managers)
        if each["metadata"]["name"] in definitions and not ours:
            found[each["metadata"]["name"]] = managers
    return found


def _refuse_lost_versions(there: Object, wanted: Object) -> None:
    """Refuse a definition that drops a version with stored objects, as the API server would half-way."""
    kept = set(there.get("status", {}).get("storedVersions") or ())
    lost = sorted(kept - {version["name"] for version in wanted["spec"]["versions"]})
    if lost:
        name = wanted["metadata"]["name"]
        raise SlipwayError(
            f"CustomResourceDefinition {name}: status.storedVersions: expected versions that the pinned definition has,"
            f" got {lost[0]}; rewrite the stored objects in a version that both definitions have, remove {lost[0]} from"
            " status.storedVersions, then run up again"
        )


def _refuse_unknown_kinds(kube: Kube, components: Mapping[str, Iterable[Object]], brought: set[str]) -> None:
    """Refuse objects of a group that neither the cluster nor a component defines."""
    known = {group["name"] for group in kube.request("GET", "/apis")["groups"]} | brought | {""}
    for name, objects in components.items():
        for each in objects:
            group = each["apiVersion"].rpartition("/")[0]
            if group not in known:
                remedy = BRINGS.get(group, "install its CustomResourceDefinition")
                raise SlipwayError(
                    f"{name}: kind {each['kind']} of {group}: neither the cluster nor this stack defines it; {remedy}"
                )


#: Remedies for optional groups.
BRINGS = {
    "cert-manager.io": "install cert-manager, or set slipway:platform.cert_manager",
    "external-secrets.io": "install External Secrets, or set slipway:platform.secrets",
    "gateway.networking.k8s.io": "install Gateway API, or set slipway:platform.gateway",
}
