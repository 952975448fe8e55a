"""Bootstrap of an empty cluster with the objects that Slipway's program expects."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from slipway.clients.kube import APPLY, Kube, KubeError
from slipway.errors import ExitCode, SlipwayError
from slipway.lab import manifests

#: Field manager of these objects.
MANAGER = "slipway-lab"
#: Annotation on the first namespace: hash of the objects applied. In the cluster, so it goes with the objects.
MARK = "slipway.dev/lab-bootstrap"
#: Definitions sent at once; the API server rebuilds its schema after each, so more would only queue up.
AT_ONCE = 4
#: Seconds for the API server to serve a new kind.
ESTABLISH_LIMIT = 60.0
#: Seconds after which an unserved definition counts as forgotten by the server; usually it takes two.
NUDGE_AFTER = 8.0
CRD = "apiextensions.k8s.io/v1"


class Bootstrap:
    """Objects of one lab, applied step by step as the components start.

    Args:
        data: Files of the pinned modules, by tool name.
        pki: Directory of the authority.
        keys: Access and secret key of the object store.
    """

    def __init__(self, kube: Kube, data: Mapping[str, Path], pki: Path, keys: tuple[str, str]) -> None:
        self.kube = kube
        self._definitions = manifests.definitions(data)
        self._first = manifests.before_controllers(data["kserve"])
        self._last = [
            manifests.storage_container(data["kserve"]),
            *manifests.webhooks(data["kserve"], (pki / "ca.crt").read_bytes()),
            *manifests.gateway(),
            *manifests.model_reader(*keys),
        ]
        self._runtime = manifests.runtime(data["kserve"])
        self.mark = _hash([d.text for d in self._definitions], [*self._first, *self._last, self._runtime])

    def is_done(self) -> bool:
        """Return whether the cluster already has all of these objects."""
        namespace = self.kube.find("v1", "Namespace", manifests.NAMESPACES[0]) or {"metadata": {}}
        return (namespace["metadata"].get("annotations") or {}).get(MARK) == self.mark

    def before_controllers(self) -> None:
        """Apply what controllers read as they start: definitions, namespaces and KServe's configuration."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            sent = [pool.submit(self._define, definition) for definition in self._definitions]
            for obj in self._first:
                self._apply(obj)
            for job in sent:
                job.result()
        self._wait_until_served()

    def beside_controllers(self) -> None:
        """Apply the objects that no webhook checks."""
        for obj in self._last:
            self._apply(obj)

    def after_controllers(self) -> None:
        """Apply the objects that KServe's webhook checks, then mark the bootstrap as complete."""
        self._apply(self._runtime)
        body = {"metadata": {"annotations": {MARK: self.mark}}}
        self.kube.patch("v1", "Namespace", manifests.NAMESPACES[0], None, body)

    def _apply(self, obj: dict[str, Any]) -> None:
        try:
            self.kube.apply(obj, field_manager=MANAGER, force=True)
        except KubeError as error:
            message = f"lab: {obj['kind']} {obj['metadata']['name']}: refused by the API server: {error}"
            raise SlipwayError(message, ExitCode.MACHINE) from None

    def _define(self, definition: manifests.Definition) -> None:
        # As text: the server parses YAML anyway, and twice as fast as we would.
        answer = self.kube.session.patch(
            f"{self.kube.server}/apis/{CRD}/customresourcedefinitions/{definition.name}",
            params={"fieldManager": MANAGER, "force": "true"},
            data=definition.text.encode(),
            headers={"Content-Type": APPLY, "Accept": "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"},
            timeout=ESTABLISH_LIMIT,
        )
        if not answer.ok:
            raise SlipwayError(f"lab: CRD {definition.name}: refused: {answer.text[:300]}", ExitCode.MACHINE)

    def _wait_until_served(self) -> None:
        """Wait until discovery lists each kind: a controller that starts earlier treats it as missing."""
        wanted = {definition.name for definition in self._definitions}
        begin, nudged = time.monotonic(), False
        while missing := wanted - set(self._served(wanted)):
            waited = time.monotonic() - begin
            if waited > NUDGE_AFTER and not nudged:
                nudged = True
                for name in missing:
                    self._nudge(name)
            if waited > ESTABLISH_LIMIT:
                raise SlipwayError(
                    f"lab: CRD {min(missing)}: not served after {ESTABLISH_LIMIT:.0f} s", ExitCode.MACHINE
                )
            time.sleep(0.05)  # discovery cannot be watched

    def _nudge(self, name: str) -> None:
        """Make the API server establish a definition that it accepted but forgot.

        It establishes an accepted definition upon a change of it (apiextensions-apiserver, customresource_handler.go).
        After a kill between the two it would do so only minutes later.
        """
        body = {"metadata": {"annotations": {f"{MARK}-nudged": str(time.time())}}}
        self.kube.patch(CRD, "CustomResourceDefinition", name, None, body)

    def _served(self, wanted: set[str]) -> Iterable[str]:
        groups = {name.partition(".")[2] for name in wanted}
        known = self.kube.request("GET", "/apis")["groups"]
        for group in known:
            if group["name"] in groups:
                for version in group["versions"]:
                    # A group appears in the list some milliseconds before its own page does.
                    with contextlib.suppress(KubeError):
                        resources = self.kube.request("GET", f"/apis/{version['groupVersion']}")["resources"]
                        yield from (f"{resource['name']}.{group['name']}" for resource in resources)


def _hash(texts: list[str], objects: list[dict[str, Any]]) -> str:
    digest = hashlib.sha256()
    for text in [*texts, *(json.dumps(obj, sort_keys=True) for obj in objects)]:
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:32]
