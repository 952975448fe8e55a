"""Thin Kubernetes client: raw dicts over requests.

Of the clients on PyPI, the official one takes a second to import (in each `pulumi preview`) and clashes with MLflow's
dependencies; none supports dry runs, field validation and server-side apply of raw objects.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import requests

from slipway.clients import kubeconfig
from slipway.errors import ExitCode, SlipwayError
from slipway.objects import Object

#: An alias, because the method `list` hides the type inside the class.
Objects = list[Object]

#: Content type of a server-side apply; JSON is a subset of YAML.
APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"


class KubeError(SlipwayError):
    """Failed request to the API server; `status` is 0 without a response."""

    def __init__(self, status: int, reason: str, message: str, body: Object | None = None) -> None:
        super().__init__(message, ExitCode.UNREACHABLE if status == 0 else ExitCode.USER)
        self.status, self.reason, self.body = status, reason, body or {}


class Kube:
    """Client for one cluster, with one identity.

    Args:
        server: Base URL of the API server.
        session: Session with certificates and tokens; must not read proxies or CA bundles from the environment.
        timeout: Seconds for connecting and for each read.
    """

    def __init__(
        self, server: str, session: requests.Session, timeout: float = 30.0, namespace: str = "default"
    ) -> None:
        self.server, self.session, self.timeout, self.namespace = server.rstrip("/"), session, timeout, namespace
        self._kinds: dict[str, dict[str, Object]] = {}

    @classmethod
    def from_kubeconfig(cls, path: Path | str, context: str | None = None, timeout: float = 30.0) -> Kube:
        """Return a client for a kubeconfig file.

        Raises:
            SlipwayError: The file is missing, malformed, or lacks the context.
        """
        return cls.from_config(*kubeconfig.read(path), context, timeout)

    @classmethod
    def from_config(cls, config: Object, base: Path, context: str | None = None, timeout: float = 30.0) -> Kube:
        """Return a client for a parsed kubeconfig; file names in it are relative to `base`."""
        access = kubeconfig.access(config, base, context)
        return cls(access.server, access.session(), timeout, access.namespace)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Object | Objects | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        """Send one request and return the parsed response.

        Raises:
            KubeError: No response, or one that is not a success.
        """
        try:
            answer = self.session.request(
                method,
                self.server + path,
                params=dict(params or {}),
                data=None if body is None else json.dumps(body),
                headers={"Content-Type": content_type, "Accept": accept},
                timeout=self.timeout,
            )
        except requests.RequestException as error:
            message = f"cluster {self.server} cannot be reached ({type(error).__name__})"
            raise KubeError(0, "Unreachable", message) from None
        if answer.ok:
            parsed = answer.json() if answer.content[:1] in b"{[" and answer.content else {"text": answer.text}
            return parsed if isinstance(parsed, dict) else {"items": parsed}
        raise _error(answer)

    def url_of(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
    ) -> str:
        """Return the path of a resource; the plural comes from discovery."""
        resource = self._resource(api_version, kind)
        parts = ["/api" if api_version == "v1" else "/apis", api_version]
        if resource["namespaced"] and namespace:
            parts += ["namespaces", namespace]
        return "/".join([*parts, resource["name"], *filter(None, [name, subresource])])

    def is_namespaced(self, api_version: str, kind: str) -> bool:
        """Return whether a kind is namespaced."""
        return bool(self._resource(api_version, kind)["namespaced"])

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object:
        """Read one object."""
        return self.request("GET", self.url_of(api_version, kind, namespace, name))

    def find(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> Object | None:
        """Read one object, or None where it (or its kind) does not exist."""
        try:
            return self.get(api_version, kind, name, namespace)
        except KubeError as error:
            if error.status == 404:
                return None
            raise

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, label_selector: str | None = None
    ) -> Objects:
        """List objects in one request, with kind and apiVersion, which the API leaves out of items."""
        params = {"labelSelector": label_selector}
        items = self.request("GET", self.url_of(api_version, kind, namespace), params=params)["items"]
        return [{"apiVersion": api_version, "kind": kind, **item} for item in items]

    def create(self, obj: Object, *, field_manager: str = "slipway", dry_run: bool = False) -> Object:
        """POST an object."""
        path = self.url_of(obj["apiVersion"], obj["kind"], obj["metadata"].get("namespace"))
        return self.request("POST", path, params=_write(field_manager, dry_run), body=obj)

    def apply(
        self, obj: Object, *, field_manager: str = "slipway", force: bool = False, dry_run: bool = False
    ) -> Object:
        """Server-side apply an object."""
        metadata = obj["metadata"]
        path = self.url_of(obj["apiVersion"], obj["kind"], metadata.get("namespace"), metadata["name"])
        params = {**_write(field_manager, dry_run), "force": str(force).lower()}
        return self.request("PATCH", path, params=params, body=obj, content_type=APPLY)

    def patch(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        body: Object | Objects,
        *,
        subresource: str | None = None,
        content_type: str = MERGE,
    ) -> Object:
        """Patch an object or one of its subresources."""
        path = self.url_of(api_version, kind, namespace, name, subresource)
        return self.request("PATCH", path, body=body, content_type=content_type)

    def delete(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None = None,
        *,
        propagation: str = "Background",
    ) -> None:
        """Delete an object; a missing one counts as deleted."""
        path = self.url_of(api_version, kind, namespace, name)
        try:
            self.request("DELETE", path, body={"propagationPolicy": propagation})
        except KubeError as error:
            if error.status != 404:
                raise

    def watch(
        self,
        api_version: str,
        kind: str,
        namespace: str | None = None,
        *,
        resource_version: str | None = None,
        timeout_seconds: float = 300,
        field_selector: str | None = None,
        label_selector: str | None = None,
    ) -> Iterator[tuple[str, Object]]:
        """Yield (event type, object) for `timeout_seconds`; without a resource version existing objects come first.

        Raises:
            KubeError: The connection broke, or the resource version is too old (status 410).
        """
        params = {
            "watch": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": max(1, round(timeout_seconds)),
            "fieldSelector": field_selector,
            "labelSelector": label_selector,
        }
        try:
            with self.session.get(
                self.server + self.url_of(api_version, kind, namespace),
                params=params,  # requests leaves out None
                stream=True,
                timeout=(self.timeout, timeout_seconds + self.timeout),
            ) as answer:
                if not answer.ok:
                    raise _error(answer)
                for line in answer.iter_lines(chunk_size=None):  # None: each event as it arrives
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise _failure(event["object"].get("code", 500), event["object"])
                    yield event["type"], event["object"]
        except requests.RequestException as error:
            raise KubeError(0, "Unreachable", f"cluster {self.server}: watch ended ({type(error).__name__})") from None

    def wait_for(
        self,
        api_version: str,
        kind: str,
        name: str,
        namespace: str | None,
        predicate: Callable[[Object], bool],
        *,
        timeout: float,
    ) -> Object:
        """Return the object as soon as `predicate` holds for it.

        Raises:
            TimeoutError: It did not within `timeout` seconds; the message has the last status.
        """
        deadline, last = time.monotonic() + timeout, {}
        while (left := deadline - time.monotonic()) > 0:
            try:
                for kind_of_event, obj in self.watch(
                    api_version, kind, namespace, timeout_seconds=min(left, 60), field_selector=f"metadata.name={name}"
                ):
                    last = obj
                    if kind_of_event != "DELETED" and predicate(obj):
                        return obj
            except KubeError as error:
                if error.status not in (0, 404, 410, 429, 503):
                    raise
                time.sleep(0.2)  # the kind is not served yet, or the server is down or has just started
        raise TimeoutError(
            f"{kind} {name}: not as expected after {timeout:.0f} s; last status: {json.dumps(last.get('status'))}"
        )

    def _resource(self, api_version: str, kind: str) -> Object:
        if kind not in self._kinds.get(api_version, {}):
            root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
            resources = self.request("GET", root)["resources"]
            self._kinds[api_version] = {r["kind"]: r for r in resources if "/" not in r["name"]}
        if found := self._kinds[api_version].get(kind):
            return found
        raise KubeError(404, "NotFound", f"the cluster has no kind {api_version} {kind}; install its CRD")


def _write(field_manager: str, dry_run: bool) -> Object:
    return {"fieldManager": field_manager, "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}


def _error(answer: requests.Response) -> KubeError:
    try:
        status = answer.json()
    except ValueError:
        status = {"message": answer.text.strip() or answer.reason}
    return _failure(answer.status_code, status)


def _failure(code: int, status: Object) -> KubeError:
    return KubeError(code, status.get("reason", ""), status.get("message", ""), status)
