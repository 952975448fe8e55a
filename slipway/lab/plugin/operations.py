"""Operations of the engine on a real cluster."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from slipway.clients.kube import Kube, KubeError
from slipway.errors import SlipwayError
from slipway.lab.plugin import ownership
from slipway.lab.plugin.awaiting import DEFAULT_TIMEOUT, NotReadyError, Waiter
from slipway.lab.plugin.conditions import annotation, ready_test
from slipway.lab.plugin.config import Settings
from slipway.objects import Object

#: Seconds before each retry while a kind or a namespace is missing: the same `up` may create them.
_RETRIES = (0.3, 0.6, 1.2, 2.4, 4.8)
_JSON_PATCH = "application/json-patch+json"
#: Tries of the patch that moves ownership; each fails only if another writer comes in between.
_ADOPT_TRIES = 5
_PROPAGATION = {"background": "Background", "orphan": "Orphan"}
_REMEDY = (
    'leave the field to its owner with ignore_changes, or take it over with annotation pulumi.com/patchForce: "true"'
)


@dataclass(frozen=True)
class Task:
    """Call of the engine.

    Args:
        timeout: Seconds of `customTimeouts`, 0 without it.
        progress: Shows a passing status line.
    """

    urn: str
    timeout: float
    progress: Callable[[str], None]

    def seconds(self, inputs: Object) -> float:
        """Return the seconds to wait."""
        text = annotation(inputs, "pulumi.com/timeoutSeconds")
        return self.timeout or (float(text) if text.isdigit() else DEFAULT_TIMEOUT)


@dataclass(frozen=True)
class Cluster:
    """Cluster as configured by one provider resource."""

    kube: Kube
    settings: Settings
    cancelled: threading.Event = field(default_factory=threading.Event)

    def create(self, inputs: Object, manager: str, task: Task) -> Object:
        """Create the object, then wait until it is ready.

        Raises:
            KubeError: The object was not created.
            NotReadyError: The object was created, but is not ready.
        """
        test = ready_test(inputs)
        return self._awaited(inputs, self._make_patiently(inputs, manager, task), test, task)

    def preview_update(self, inputs: Object, live_name: str, ignored: list[str], manager: str) -> Object:
        """Return the object that an update would make, by a dry run."""
        live = self._live(inputs, live_name)
        wanted = ownership.keep_ignored(inputs, live, ignored, manager)
        try:
            return self.kube.apply(wanted, field_manager=manager, force=self._forces(inputs, live), dry_run=True)
        except KubeError as error:
            # The ownership of our own POST moves only in a real update: until then a dry run overrides it.
            if error.status == 409 and _conflicting(error) == {ownership.POST_MANAGER}:
                return self.kube.apply(wanted, field_manager=manager, force=True, dry_run=True)
            raise

    def update(self, inputs: Object, live_name: str, ignored: list[str], manager: str, task: Task) -> Object:
        """Change the object by server-side apply, then wait until it is ready.

        Raises:
            KubeError: The object was not changed.
            NotReadyError: The object was changed, but is not ready.
        """
        test = ready_test(inputs)
        live = self._adopt(self._live(inputs, live_name), manager)
        wanted = ownership.keep_ignored(inputs, live, ignored, manager)
        made = self.kube.apply(wanted, field_manager=manager, force=self._forces(inputs, live))
        return self._awaited(inputs, made, test, task)

    def read(self, api_version: str, kind: str, id_: str) -> Object | None:
        """Return the live object, None without one."""
        namespace, name = split_id(id_)
        return self.kube.find(api_version, kind, name, namespace)

    def delete(self, inputs: Object, last: Object, id_: str, task: Task) -> None:
        """Delete the object, then wait until it is gone; a missing one counts as deleted.

        Raises:
            NotReadyError: The object still exists at the end of the time.
        """
        api_version, kind, (namespace, name) = last["apiVersion"], last["kind"], split_id(id_)
        live = self.kube.find(api_version, kind, name, namespace)
        if live is None:
            return
        policy = annotation(inputs, "pulumi.com/deletionPropagationPolicy").lower()
        self.kube.delete(api_version, kind, name, namespace, propagation=_PROPAGATION.get(policy, "Foreground"))
        Waiter(self.kube, self.cancelled).gone(live, task.seconds(inputs), task.progress)

    def _awaited(self, inputs: Object, made: Object, test: Any, task: Task) -> Object:
        if test is None:
            return made
        return Waiter(self.kube, self.cancelled).ready(made, test, task.seconds(inputs), task.progress)

    def _make_patiently(self, inputs: Object, manager: str, task: Task) -> Object:
        for delay in _RETRIES:
            try:
                return self.make(inputs, manager, dry_run=False)
            except KubeError as error:
                if error.status != 404:
                    raise
                task.progress(f"trying again in {delay:.1f} s: {one_line(error)}")
                if self.cancelled.wait(delay):
                    raise
        return self.make(inputs, manager, dry_run=False)

    def make(self, inputs: Object, manager: str, *, dry_run: bool) -> Object:
        """Make the object, or return the one that a creation would make.

        Raises:
            KubeError: The API server refuses it, or cannot decide.
        """
        if self.settings.upsert:
            # A dry run cannot decide whether the object is ours from an `up` that was killed.
            force = dry_run or self._forces(inputs, None)
            return self.kube.apply(inputs, field_manager=manager, force=force, dry_run=dry_run)
        return self.kube.create(inputs, field_manager=ownership.POST_MANAGER, dry_run=dry_run)

    def _forces(self, inputs: Object, live: Object | None) -> bool:
        unowned = live is not None and not live["metadata"].get("managedFields")
        return self.settings.force or unowned or annotation(inputs, "pulumi.com/patchForce") == "true"

    def _live(self, inputs: Object, name: str) -> Object:
        return self.kube.get(inputs["apiVersion"], inputs["kind"], name, inputs["metadata"].get("namespace"))

    def _adopt(self, live: Object, manager: str) -> Object:
        """Move the fields owned by our own POST to the manager of the applies; otherwise dropped fields would stay."""
        for tries_left in reversed(range(_ADOPT_TRIES)):
            metadata = live["metadata"]
            entries = ownership.adopted(metadata.get("managedFields") or [], manager)
            if entries is None:
                return live
            patch = [
                {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
                {"op": "replace", "path": "/metadata/managedFields", "value": entries},
            ]
            where = live["apiVersion"], live["kind"], metadata["name"], metadata.get("namespace")
            try:
                return self.kube.patch(*where, patch, content_type=_JSON_PATCH)
            except KubeError as error:
                if error.status not in (409, 422) or not tries_left:
                    raise
                live = self.kube.get(*where)
        return live


def manager_of(inputs: Object, state: Object, urn: str) -> str:
    """Return the resource's field manager: annotated, else from the state, else derived from the URN."""
    name = annotation(inputs, "pulumi.com/patchFieldManager") or state.get("__fieldManager")
    return str(name or f"{ownership.POST_MANAGER}-{hashlib.sha256(urn.encode()).hexdigest()[:8]}")


def id_of(obj: Object) -> str:
    """Return the id of an object: `namespace/name`, or `name` for cluster scope."""
    metadata = obj["metadata"]
    return f"{metadata['namespace']}/{metadata['name']}" if metadata.get("namespace") else str(metadata["name"])


def split_id(id_: str) -> tuple[str | None, str]:
    """Return namespace and name of an id."""
    namespace, _, name = id_.rpartition("/")
    return namespace or None, name


def one_line(error: Exception) -> str:
    """Return an error's text in one line; a conflict's with a remedy."""
    text = re.sub(r"\s+", " ", str(error)).strip()
    if isinstance(error, KubeError) and error.status == 409 and _conflicting(error):
        text = re.sub(r"\bconflicts? with", "field conflict with", text.partition(": ")[2] or text)
        return f"{text}; {_REMEDY}"
    return text


def explain(inputs: Object, error: Exception) -> str:
    """Return the error of an operation in one line, with the object's name."""
    metadata = inputs.get("metadata") or {}
    where = "/".join(filter(None, (metadata.get("namespace"), metadata.get("name"))))
    text = one_line(error)
    if isinstance(error, KubeError) and error.reason == "AlreadyExists":
        text += "; import it, or set upsertExistingObjects on the provider"
    return f"{inputs.get('kind')} {where}: {text}" if isinstance(error, SlipwayError | NotReadyError) else text


def _conflicting(error: KubeError) -> set[str]:
    """Return the other managers in a conflict of server-side apply."""
    causes = (error.body.get("details") or {}).get("causes") or []
    quoted = (re.search(r'conflict with "([^"]*)"', cause.get("message", "")) for cause in causes)
    return {match[1] for match in quoted if match}
