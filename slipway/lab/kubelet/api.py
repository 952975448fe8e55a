"""Client of the API server for the kubelet's event loop; calls run in threads."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from slipway.clients.kube import Kube, KubeError
from slipway.lab.kubelet.variables import Sources, decode, references, token_requests
from slipway.objects import Object
from slipway.times import iso

log = logging.getLogger("slipway.kubelet")
#: Seconds between attempts while the API server does not answer.
RETRY = 0.5


def now() -> str:
    """Return the current time in the API's format."""
    return iso(time.time())


@dataclass
class Api:
    """Requests of the kubelet to the API server, as coroutines.

    Args:
        node: The name of the node, the source of events.
    """

    kube: Kube
    node: str
    _events: dict[tuple[str, str, str], tuple[str, int]] = field(default_factory=dict)

    async def patch_status(self, pod: Object, status: Object) -> Object:
        """Write a pod's status; return the updated pod.

        Raises:
            KubeError: Status 404 or 409: the pod is gone; another may have its name.
        """
        meta = pod["metadata"]
        body = {"metadata": {"uid": meta["uid"]}, "status": status}
        return await asyncio.to_thread(
            self.kube.patch, "v1", "Pod", meta["name"], meta["namespace"], body, subresource="status"
        )

    async def bind(self, pod: Object) -> None:
        """Bind a pod to this node."""
        meta = pod["metadata"]
        path = self.kube.url_of("v1", "Pod", meta["namespace"], meta["name"], "binding")
        target = {"apiVersion": "v1", "kind": "Node", "name": self.node}
        body = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": meta["name"]}, "target": target}
        await asyncio.to_thread(self.kube.request, "POST", path, body=body)

    async def delete(self, pod: Object) -> None:
        """Remove a pod whose processes have ended."""
        meta = pod["metadata"]
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": meta["uid"]}}
        path = self.kube.url_of("v1", "Pod", meta["namespace"], meta["name"])
        while True:
            try:
                await asyncio.to_thread(self.kube.request, "DELETE", path, body=body)
                return
            except KubeError as error:
                if error.status in (404, 409):
                    return
                log.warning("pod %s/%s: not removed: %s", meta["namespace"], meta["name"], error)
                await asyncio.sleep(RETRY)

    async def sources_of(self, pod: Object, *, tokens: bool = False) -> Sources:
        """Read the Secrets and ConfigMaps that a pod refers to; missing ones are left out.

        Args:
            tokens: Whether to request new tokens of its service account, for its volumes.
        """
        return await asyncio.to_thread(self._sources, pod, tokens)

    def _sources(self, pod: Object, tokens: bool) -> Sources:
        found: dict[str, dict[str, dict[str, bytes]]] = {"Secret": {}, "ConfigMap": {}}
        claims: dict[str, str] = {}
        for kind, name in references(pod):
            obj = self.kube.find("v1", kind, name, pod["metadata"]["namespace"])
            if obj is not None and kind == "PersistentVolumeClaim":
                claims[name] = self._claimed(obj)
            elif obj is not None:
                found[kind][name] = decode(kind, obj)
        wanted = token_requests(pod) if tokens else set()
        granted = {request: token for request in wanted if (token := self._token(pod, *request))}
        return Sources(found["Secret"], found["ConfigMap"], granted, claims)

    def _claimed(self, claim: Object) -> str:
        """Mark a claim as bound to a directory of the machine, whatever its size; return its identity."""
        meta = claim["metadata"]
        if (claim.get("status") or {}).get("phase") != "Bound":
            spec = claim["spec"]
            status = {"phase": "Bound", "accessModes": spec["accessModes"], "capacity": spec["resources"]["requests"]}
            self.kube.patch(
                "v1", claim["kind"], meta["name"], meta["namespace"], {"status": status}, subresource="status"
            )
        return str(meta["uid"])

    def _token(self, pod: Object, audience: str, seconds: int) -> bytes | None:
        """Request a token that is bound to the pod; None where its service account does not exist."""
        meta, account = pod["metadata"], pod["spec"].get("serviceAccountName", "default")
        bound = {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": meta["uid"]}
        spec = {"audiences": [audience] if audience else [], "expirationSeconds": seconds, "boundObjectRef": bound}
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        path = self.kube.url_of("v1", "ServiceAccount", meta["namespace"], account, "token")
        try:
            answer = self.kube.request("POST", path, body=body)
        except KubeError as error:
            if error.status == 404:
                return None
            raise
        return str(answer["status"]["token"]).encode()

    async def event(self, pod: Object, reason: str, message: str, *, warning: bool = True) -> None:
        """Report an event of a pod; a repetition raises the event's count."""
        try:
            await asyncio.to_thread(self._event, pod, reason, message[:1024], warning)
        except KubeError as error:
            log.warning("event %s of %s: %s", reason, pod["metadata"]["name"], error)

    def _event(self, pod: Object, reason: str, message: str, warning: bool) -> None:
        meta = pod["metadata"]
        key = (meta["uid"], reason, message)
        name, count = self._events.get(key, (f"{meta['name'][:200]}.{uuid.uuid4().hex[:16]}", 0))
        self._events[key] = (name, count + 1)
        if count:
            body = {"count": count + 1, "lastTimestamp": now()}
            self.kube.patch("v1", "Event", name, meta["namespace"], body)
            return
        about = {key: meta[key] for key in ("name", "namespace", "uid")}
        self.kube.create(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": meta["namespace"]},
                "involvedObject": {"apiVersion": "v1", "kind": "Pod", **about},
                "reason": reason,
                "message": message,
                "type": "Warning" if warning else "Normal",
                "source": {"component": "kubelet", "host": self.node},
                "firstTimestamp": now(),
                "lastTimestamp": now(),
                "count": 1,
            }
        )

    def forget(self, uid: str) -> None:
        """Forget the events of a deleted pod."""
        for key in [key for key in self._events if key[0] == uid]:
            del self._events[key]


def watch(
    kube: Kube, api_version: str, kind: str, deliver: Callable[[str, list[Object]], None], stopping: threading.Event
) -> None:
    """Deliver every object of a kind, then every change: ("ALL", objects), (event type, [object]), until `stopping`.

    Blocks, so it needs its own thread.
    """
    version: str | None = None
    while not stopping.is_set():
        try:
            if version is None:
                listed = kube.request("GET", kube.url_of(api_version, kind))
                version = listed["metadata"]["resourceVersion"]
                deliver("ALL", listed["items"])
            for event, obj in kube.watch(api_version, kind, resource_version=version):
                version = obj["metadata"]["resourceVersion"]
                deliver(event, [obj])
        except KubeError as error:
            if stopping.is_set():
                return
            if error.status != 410:
                log.warning("watching %ss: %s", kind, error)
                time.sleep(RETRY)
            version = None
