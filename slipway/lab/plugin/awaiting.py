"""Waits for an object by watching it."""

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
#: A watch is renewed that often, to notice a cancellation and to report progress.
_SLICE = 5.0
#: What a client may meet while the API server restarts; 410: a watch's resource version is too old.
_PASSING = (0, 410, 429, 500, 502, 503, 504)


class NotReadyError(Exception):
    """The object exists but did not become what was awaited.

    Args:
        message: Why, in one line.
        live: The object as it was seen last.
    """

    def __init__(self, message: str, live: Object) -> None:
        super().__init__(message)
        self.live = live


@dataclass(frozen=True)
class Waiter:
    """Waits on one cluster.

    Args:
        kube: The cluster.
        cancelled: Set when the user gave up.
    """

    kube: Kube
    cancelled: threading.Event

    def ready(self, obj: Object, test: Test, timeout: float, progress: Callable[[str], None]) -> Object:
        """Return the live object once the test holds.

        Raises:
            NotReadyError: It does not in time, or the object vanished, or the user gave up.
        """
        missing, last = "no answer from the cluster", obj
        for live in self._states(obj, timeout):
            if live is None:
                raise NotReadyError("it was deleted while it was awaited", last)
            last, missing = live, test(live)
            if not missing:
                return live
            progress(f"waiting: {missing}")
        raise NotReadyError(f"not ready {self._why(timeout)}: {missing}", last)

    def gone(self, obj: Object, timeout: float, progress: Callable[[str], None]) -> None:
        """Return once the object is gone; another one of the same name counts as gone.

        Raises:
            NotReadyError: It is still there in the end.
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
        """Yield every state of an object until the deadline; None means that it does not exist."""
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
                # From the very version just seen: no event can be missed in between.
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
