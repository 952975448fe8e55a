"""Environment variables of a container, from its spec."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from slipway.lab import network
from slipway.lab.kubelet.refusal import Refusal, unsupported
from slipway.objects import Object

#: Address of the API server for clients inside pods. Its own one: its Service would be one hop more.
API_SERVER = {"KUBERNETES_SERVICE_HOST": network.ADDRESS, "KUBERNETES_SERVICE_PORT": str(network.API_PORT)}
#: `$(NAME)`, or `$$` which escapes a dollar sign.
_REFERENCE = re.compile(r"\$(?:\$|\(([^()$]+)\))")
_MAP_KEY = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")

#: Kind of a volume.
PVC = "persistentVolumeClaim"
#: Audience (empty for the API server itself) and lifetime of a token in seconds.
TokenRequest = tuple[str, int]
#: Default lifetime of the API.
TOKEN_SECONDS = 3600


@dataclass(frozen=True)
class Sources:
    """Secrets and ConfigMaps of a namespace that a pod refers to, by name.

    Args:
        secrets: Decoded values.
        config_maps: `data` and `binaryData` together.
        tokens: Tokens of its service account, by request.
        claims: Identity of each PersistentVolumeClaim.
    """

    secrets: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    config_maps: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    tokens: Mapping[TokenRequest, bytes] = field(default_factory=dict)
    claims: Mapping[str, str] = field(default_factory=dict)

    def all_of(self, kind: str, name: str, optional: bool) -> Mapping[str, bytes]:
        """Return every entry of one object.

        Raises:
            Refusal: It does not exist and is not optional.
        """
        held = self.secrets if kind == "Secret" else self.config_maps
        if name not in held and not optional:
            raise Refusal("CreateContainerConfigError", f"{kind.lower()} {name!r} not found", retry=True)
        return held.get(name, {})

    def value(self, kind: str, reference: Object) -> bytes | None:
        """Return the value of a secretKeyRef or configMapKeyRef, None where an optional one is absent.

        Raises:
            Refusal: The object or the key does not exist and is not optional.
        """
        name, key, optional = reference.get("name", ""), reference["key"], bool(reference.get("optional"))
        entries = self.all_of(kind, name, optional)
        if key not in entries and not optional:
            raise Refusal("CreateContainerConfigError", f"{kind.lower()} {name!r} has no key {key!r}", retry=True)
        return entries.get(key)

    def token(self, source: Object) -> bytes:
        """Return the token that a projected volume requests.

        Raises:
            Refusal: The pod's service account does not exist.
        """
        request = token_request(source)
        if request not in self.tokens:
            raise Refusal("CreateContainerConfigError", "the pod's service account not found", retry=True)
        return self.tokens[request]

    def claim(self, name: str) -> str:
        """Return the identity of a PersistentVolumeClaim.

        Raises:
            Refusal: It does not exist.
        """
        if name not in self.claims:
            raise Refusal("CreateContainerConfigError", f"persistentvolumeclaim {name!r} not found", retry=True)
        return self.claims[name]


def token_request(source: Object) -> TokenRequest:
    """Return the request of a projected volume's serviceAccountToken."""
    return source.get("audience") or "", source.get("expirationSeconds") or TOKEN_SECONDS


def decode(kind: str, obj: Object) -> dict[str, bytes]:
    """Return the entries of a Secret or ConfigMap."""
    encoded = obj.get("data" if kind == "Secret" else "binaryData") or {}
    plain = {} if kind == "Secret" else obj.get("data") or {}
    return {
        **{key: text.encode() for key, text in plain.items()},
        **{key: base64.b64decode(text) for key, text in encoded.items()},
    }


def references(pod: Object) -> set[tuple[str, str]]:
    """Return (kind, name) of every object that a pod takes values from."""
    found = set()
    for node in _objects(pod["spec"]):
        for field_name, kind in _REFERENCE_FIELDS.items():
            reference = node.get(field_name)
            names = reference if isinstance(reference, dict) else {}
            if name := next((names[key] for key in ("name", "secretName", "claimName") if names.get(key)), None):
                found.add((kind, name))
    return found


def token_requests(pod: Object) -> set[TokenRequest]:
    """Return the requests of all tokens in a pod's volumes."""
    nodes = _objects(pod["spec"].get("volumes") or [])
    return {token_request(node["serviceAccountToken"]) for node in nodes if "serviceAccountToken" in node}


_REFERENCE_FIELDS = {
    "secretKeyRef": "Secret",
    "secretRef": "Secret",
    "secret": "Secret",
    "configMapKeyRef": "ConfigMap",
    "configMapRef": "ConfigMap",
    "configMap": "ConfigMap",
    PVC: "PersistentVolumeClaim",
}


def _objects(node: Any) -> Iterator[Object]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _objects(child)
    elif isinstance(node, list):
        for child in node:
            yield from _objects(child)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)` by its value; an unknown name stays as it is, and `$$` is a dollar sign."""

    def replace(match: re.Match[str]) -> str:
        return "$" if match[1] is None else variables.get(match[1], match[0])

    return _REFERENCE.sub(replace, text)


def pod_field(pod: Object, path: str, address: str) -> str:
    """Return the value of a downward API field.

    Raises:
        Refusal: This kubelet does not support the field.
    """
    metadata, spec = pod["metadata"], pod["spec"]
    if match := _MAP_KEY.fullmatch(path):
        return str((metadata.get(match[1]) or {}).get(match[2], ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = metadata.get(path.partition(".")[2]) or {}
        return "\n".join(f'{key}="{value}"' for key, value in sorted(entries.items()))
    known = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": address,
        "status.podIPs": address,
        "status.hostIP": (pod.get("status") or {}).get("hostIP", ""),
    }
    if path not in known:
        raise unsupported(f"fieldRef {path!r}")
    return str(known[path])


def variables_of(
    container: Object, pod: Object, image_variables: Mapping[str, str], sources: Sources, address: str
) -> dict[str, str]:
    """Return a container's environment: the image's, then `envFrom`, then `env`, each over the one before.

    Raises:
        Refusal: A source does not exist, or this kubelet does not support its kind.
    """
    own: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        own.update(_all_from(source, sources))
    for entry in container.get("env") or ():
        value = _value(entry, pod, sources, address, own)
        if value is not None:
            own[entry["name"]] = value
    return {**image_variables, **API_SERVER, "HOSTNAME": pod["metadata"]["name"], **own}


def _all_from(source: Object, sources: Sources) -> dict[str, str]:
    kind = "Secret" if "secretRef" in source else "ConfigMap"
    reference = source.get("secretRef") or source.get("configMapRef") or {}
    entries = sources.all_of(kind, reference.get("name", ""), bool(reference.get("optional")))
    prefix = source.get("prefix") or ""
    return {prefix + key: value.decode(errors="replace") for key, value in entries.items()}


def _value(entry: Object, pod: Object, sources: Sources, address: str, before: Mapping[str, str]) -> str | None:
    source = entry.get("valueFrom")
    if not source:
        return expand(entry.get("value") or "", before)
    if "fieldRef" in source:
        return pod_field(pod, source["fieldRef"]["fieldPath"], address)
    for field_name in ("secretKeyRef", "configMapKeyRef"):
        if field_name in source:
            value = sources.value(_REFERENCE_FIELDS[field_name], source[field_name])
            return None if value is None else value.decode(errors="replace")
    raise unsupported(f"env {entry['name']}: valueFrom {'/'.join(sorted(source))}")
