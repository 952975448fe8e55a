"""Keeps what one provider resource knows of its cluster: whether it answers, which kinds have namespaces."""

from __future__ import annotations

import threading
from collections.abc import Callable

import requests.adapters

from slipway.clients.kube import Kube, KubeError
from slipway.errors import SlipwayError
from slipway.lab.plugin.check import usually_namespaced
from slipway.lab.plugin.config import Settings
from slipway.lab.plugin.operations import Cluster, one_line
from slipway.objects import Object

#: Connections that are kept open to the API server.
CONNECTIONS = 32
#: Seconds in which the cluster must answer when the provider is configured.
_PROBE_SECONDS = 5.0
#: Answers to a dry run that say nothing about a real run: not permitted; the kind or the namespace is still to come.
_INCONCLUSIVE = (403, 404)


class Connection:
    """The cluster of one provider resource, which may be out of reach.

    Args:
        settings: How to get there.
        cancelled: Set when the user gave up.
        warn: Shows a warning.
    """

    def __init__(self, settings: Settings, cancelled: threading.Event, warn: Callable[[str], None]) -> None:
        self.settings, self._warn = settings, warn
        self._cluster: Cluster | None = None
        self._reason = ""
        self._warned = threading.Lock()
        self._scopes: dict[tuple[str, str], bool] = {}
        try:
            kube = settings.connect()
            _reach(kube)
            self._cluster = Cluster(kube, settings, cancelled)
        except SlipwayError as error:
            # Previews work without a cluster; whatever needs it fails then, by name.
            self._reason = one_line(error)
        self.namespace = settings.namespace or (self._cluster.kube.namespace if self._cluster else "default")

    def cluster(self) -> Cluster:
        """Return the cluster.

        Raises:
            SlipwayError: It cannot be reached.
        """
        if self._cluster is None:
            # As the official provider begins it (provider/pkg/provider/provider.go).
            raise SlipwayError(
                f"configured Kubernetes cluster is unreachable: {self._reason}; is it running, is the kubeconfig right?"
            )
        return self._cluster

    def preview(self, dry_run: Callable[[Cluster], Object]) -> Object | None:
        """Return what a dry run says, None where only a real run can tell.

        Raises:
            KubeError: The API server would refuse the object.
        """
        if self._cluster is None:
            self._warn_once(self._reason)
            return None
        try:
            made = dry_run(self._cluster)
        except KubeError as error:
            if error.status == 0:
                self._warn_once(one_line(error))
            elif not (error.status in _INCONCLUSIVE or error.reason == "AlreadyExists" or _would_replace(error)):
                raise
            return None
        return {key: value for key, value in made.items() if key != "status"}

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Tell the scope of a kind; the answer for one that the cluster does not know is a guess."""
        key = api_version, kind
        if key not in self._scopes:
            try:
                self._scopes[key] = self.cluster().kube.is_namespaced(api_version, kind)
            except SlipwayError:
                self._scopes[key] = usually_namespaced(kind)
        return self._scopes[key]

    def _warn_once(self, reason: str) -> None:
        # The lock is never given back: whoever gets it is the only one to warn.
        if self._warned.acquire(blocking=False):
            self._warn(f"{reason}; the preview goes on without the cluster: nothing is validated")


def _reach(kube: Kube) -> None:
    """Ask for the version, quickly, on a session that many threads may share."""
    kube.session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS))
    usual, kube.timeout = kube.timeout, _PROBE_SECONDS
    try:
        kube.request("GET", "/version")
    except KubeError as error:
        # A refusal is an answer, too: each operation will say what is not permitted.
        if error.status == 0:
            raise
    finally:
        kube.timeout = usual


def _would_replace(error: KubeError) -> bool:
    """Tell a dry run over the object that will be deleted before this one is made."""
    return error.status == 422 and "immutable" in str(error)
