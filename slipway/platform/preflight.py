"""What stands in the way of an installation, asked before anything is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from slipway.clients.kube import Kube
from slipway.errors import SlipwayError
from slipway.objects import Object

DEFINITION = ("apiextensions.k8s.io/v1", "CustomResourceDefinition")
#: Names and owners without megabytes of schemas.
SUMMARY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
#: How each plugin of Pulumi's, ours too, begins the name by which it owns fields.
OURS = "pulumi-kubernetes"


def check(kube: Kube, components: Mapping[str, Iterable[Object]], brought: Collection[str] = ()) -> list[str]:
    """Look at a cluster before components are installed into it.

    Args:
        kube: The cluster.
        components: The objects of each, by its name.
        brought: Groups of kinds that come with the cluster itself, be it later.

    Returns:
        What is worth knowing.

    Raises:
        SlipwayError: What would fail half-way, or does not answer.
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
        f"{len(foreign)} definitions are in the cluster already, written by {by}; up replaces them by the pinned ones,"
        f" objects stay: {', '.join(sorted(foreign))}"
    ]


def _foreign(kube: Kube, definitions: Mapping[str, Object]) -> dict[str, set[str]]:
    """List the definitions that are there without ever having been ours, each with who wrote it."""
    found = {}
    for each in kube.request("GET", kube.url_of(*DEFINITION), accept=SUMMARY)["items"]:
        fields = each["metadata"].get("managedFields", ())
        managers = {entry["manager"] for entry in fields if not entry.get("subresource")}
        ours = any(manager.startswith(OURS) for manager in managers)
        if each["metadata"]["name"] in definitions and not ours:
            found[each["metadata"]["name"]] = managers
    return found


def _refuse_lost_versions(there: Object, wanted: Object) -> None:
    """Refuse a definition without a version in which the cluster still keeps objects: the API server would, later."""
    kept = set(there.get("status", {}).get("storedVersions") or ())
    lost = sorted(kept - {version["name"] for version in wanted["spec"]["versions"]})
    if lost:
        name = wanted["metadata"]["name"]
        raise SlipwayError(
            f"definition {name}: the cluster keeps objects in its version {lost[0]}, which the pinned one has no more;"
            f" write them anew in a version of both, take {lost[0]} out of its status.storedVersions, then up again"
        )


def _refuse_unknown_kinds(kube: Kube, components: Mapping[str, Iterable[Object]], brought: set[str]) -> None:
    """Refuse objects of a group that neither the cluster nor a component knows."""
    known = {group["name"] for group in kube.request("GET", "/apis")["groups"]} | brought | {""}
    for name, objects in components.items():
        for each in objects:
            group = each["apiVersion"].rpartition("/")[0]
            if group not in known:
                todo = BRINGS.get(group, "install what does")
                what = f"{name} needs the kind {each['kind']} of {group}"
                raise SlipwayError(f"{what}, which neither the cluster nor a component of this stack brings; {todo}")


#: What brings a group that is not everywhere.
BRINGS = {
    "cert-manager.io": "install cert-manager, or set slipway:platform.cert_manager",
    "external-secrets.io": "install External Secrets, or set slipway:platform.secrets",
    "gateway.networking.k8s.io": "install Gateway API, or set slipway:platform.gateway",
}
