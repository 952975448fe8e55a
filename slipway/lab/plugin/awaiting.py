"""Waits for objects, by watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from slipway.clients.kube import Kube, KubeError
from slipway.lab.plugin.conditions import Test
from slipway.objects import Object

#: pulumi-kubernetes' default for both creation and deletion.
DEFAULT_TIMEOUT = 600.0
#: Seconds of one watch; a renewal notices a cancellation and reports progress.
_SLICE = 5.0
#: Statuses of a restarting API server (0: no response) and of a too old resource version (410).
_PASSING = (0, 410, 429, 500, 502, 503, 504)


class NotReadyError(Exception):
    """Error of an object that exists but did not become ready.

    Args:
        live: The object as last read.
    """

    def __init__(self, message: str, live: Object) -> None:
        super().__init__(message)
        self.live = live


@dataclass(frozen=True)
class Waiter:
    """Waiter for objects of one cluster."""

    kube: Kube
    cancelled: threading.Event

    def ready(self, obj: Object, test: Test, timeout: float, progress: Callable[[str], None]) -> Object:
        """Return the live object once the test holds.

        Raises:
            NotReadyError: The time is over, the object was deleted, or the user cancelled.
        """
        missing = "no answer from the cluster"
        last = obj
        for live in self._states(obj, timeout):
            if live is None:
                raise NotReadyError("it was deleted while it was awaited", last)
            last, missing = live, test(live)
            if not missing:
                return live
            progress(f"waiting: {missing}")
        raise NotReadyError(f"not ready {self._why(timeout)}: {missing}", last)

    def gone(self, obj: Object, timeout: float, progress: Callable[[str], None]) -> None:
        """Return once the object is gone; a new one of the same name counts as gone.

        Raises:
            NotReadyError: The object still exists at the end.
        """
        last = obj
        for live in self._states(obj, timeout):
            if live is None or live["metadata"]["uid"] != obj["metadata"]["uid"]:
                return
            last = live
            holders = ", ".join(live["metadata"].get("finalizers") or [])
            progress(f"waiting for deletion; held by finalizers: {holders}" if holders else "waiting for deletion")
        holders = ", ".join(last["metadata"].get("finalizers") or []) or "none"
        raise NotReadyError(f"still there {self._why(timeout)}; finalizers: {holders}", last)

    def _why(self, timeout: float) -> str:
        return "when cancelled" if self.cancelled.is_set() else f"after {timeout:.0f} s"

    def _states(self, obj: Object, timeout: float) -> Iterator[Object | None]:
        """Yield every state of an object until the deadline; None for a missing one."""
        deadline = time.monotonic() + timeout
        api_version, kind, metadata = obj["apiVersion"], obj["kind"], obj["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace")
        while not self.cancelled.is_set():
            try:
                live = self.kube.find(api_version, kind, name, namespace)
                yield live
                left = deadline - time.monotonic()
                if left <= 0 or live is None:
                    return
                # From the version just read, so that no event is missed in between.
                for event, seen in self.kube.watch(
                    api_version,
                    kind,
                    namespace,
                    resource_version=live["metadata"]["resourceVersion"],
                    timeout_seconds=min(_SLICE, left),
                    field_selector=f"metadata.name={name}",
                ):
                    yield None if event == "DELETED" else seen
                    if self.cancelled.is_set() or time.monotonic() >= deadline:
                        return
            except KubeError as error:
                if error.status not in _PASSING or time.monotonic() >= deadline:
                    raise
                self.cancelled.wait(0.5)
