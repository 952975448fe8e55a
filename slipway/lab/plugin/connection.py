"""Connection of one provider resource to its cluster, with the scopes of kinds."""

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

#: Open connections to the API server.
CONNECTIONS = 32
#: Seconds for the cluster to answer when the provider is configured.
_PROBE_SECONDS = 5.0
#: Statuses of a dry run that do not decide a real run: not permitted (403), kind or namespace not created yet (404).
_INCONCLUSIVE = (403, 404)


class Connection:
    """Connection of one provider resource to its cluster, which may be unreachable."""

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
            # Previews work without a cluster; operations that need it fail by name.
            self._reason = one_line(error)
        self.namespace = settings.namespace or (self._cluster.kube.namespace if self._cluster else "default")

    def cluster(self) -> Cluster:
        """Return the cluster.

        Raises:
            SlipwayError: The cluster cannot be reached.
        """
        if self._cluster is None:
            # As the official provider begins it (provider/pkg/provider/provider.go).
            reason = f"configured Kubernetes cluster is unreachable: {self._reason}"
            raise SlipwayError(f"{reason}; check that it runs, and the kubeconfig")
        return self._cluster

    def preview(self, dry_run: Callable[[Cluster], Object]) -> Object | None:
        """Return the object of a dry run, None where only a real run can decide.

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
        """Return whether a kind is namespaced; a guess if the cluster does not have it."""
        key = api_version, kind
        if key not in self._scopes:
            try:
                self._scopes[key] = self.cluster().kube.is_namespaced(api_version, kind)
            except SlipwayError:
                self._scopes[key] = usually_namespaced(kind)
        return self._scopes[key]

    def _warn_once(self, reason: str) -> None:
        # The lock is never released: the first caller is the only one to warn.
        if self._warned.acquire(blocking=False):
            self._warn(f"{reason}; the preview goes on without the cluster: nothing is validated")


def _reach(kube: Kube) -> None:
    """Read the version with a short timeout, and prepare the session for many threads."""
    kube.session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=CONNECTIONS))
    usual, kube.timeout = kube.timeout, _PROBE_SECONDS
    try:
        kube.request("GET", "/version")
    except KubeError as error:
        # A refusal is an answer too: each operation reports what is not permitted.
        if error.status == 0:
            raise
    finally:
        kube.timeout = usual


def _would_replace(error: KubeError) -> bool:
    """Return whether a dry run failed on an object that will be deleted before this one is made."""
    return error.status == 422 and "immutable" in str(error)
