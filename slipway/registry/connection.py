"""Connection to an MLflow registry: the only module with calls to MLflow.

mlflow is imported with the first call, so pinned environments do not pay for it. Every call reads whole pages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slipway.errors import ExitCode, SlipwayError
from slipway.registry.facts import DatasetRecord, RunRecord, VersionRecord, latest

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

#: The largest pages of MLflow (mlflow/store/model_registry/__init__.py; Databricks: 10,000 versions).
MODELS_PAGE = 1_000
VERSIONS_PAGE = 10_000
#: Ids in one filter: SQLite accepts 32,766 variables a statement, but a server's parser becomes slow before that.
IDS_PAGE = 1_000
EXPERIMENTS_PAGE = 10_000

#: With MLflow's defaults a caller waits 247 s for a registry that refuses connections. The first call must fail within
#: seconds; a server that is slow but healthy is then called again with longer limits.
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_HTTP_REQUEST_TIMEOUT": "3"}
PATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
HEALTH_TIMEOUT = 1.0


@dataclass(frozen=True)
class ModelRecord:
    """Logged model of a version."""

    uri: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]


def shown(uri: str) -> str:
    """Return a registry's address without a password."""
    parts = urlsplit(uri)
    return uri.replace(f"{parts.netloc}", parts.netloc.rpartition("@")[2]) if "@" in parts.netloc else uri


def named(uri: str | None) -> str | None:
    """Return the registry's address: the given one, else that of the shell."""
    return uri or os.environ.get("MLFLOW_TRACKING_URI") or None


class Connection:
    """Lazy connection to one registry."""

    def __init__(self, uri: str | None) -> None:
        self.uri = named(uri) or ""
        self._patient = False
        if not self.uri:
            raise SlipwayError("no registry: set slipway:registry.tracking_uri of the stack, or MLFLOW_TRACKING_URI")
        if self.uri.startswith("sqlite:"):
            # MLflow would create an empty registry at a wrong path.
            file = Path(self.uri.removeprefix("sqlite:///"))
            if not file.is_file():
                raise SlipwayError(
                    f"registry {self.uri}: no such file; expected an MLflow database", ExitCode.UNREACHABLE
                )
        elif urlsplit(self.uri).scheme not in ("http", "https"):
            raise SlipwayError(f"registry {shown(self.uri)}: expected http://, https:// or sqlite:///")

    def aliases(self) -> dict[str, dict[str, int]]:
        """Return alias to version, for every registered model; MLflow's client leaves prompts out."""
        models = self._pages("search_registered_models", max_results=MODELS_PAGE)
        return {model.name: {alias: int(version) for alias, version in model.aliases.items()} for model in models}

    def versions(self) -> list[VersionRecord]:
        """Return every version of every registered model."""
        versions = self._pages("search_model_versions", max_results=VERSIONS_PAGE)
        return [VersionRecord(v.name, int(v.version), v.source or "", v.run_id or "", dict(v.tags)) for v in versions]

    def logged_models(self, ids: Sequence[str]) -> dict[str, ModelRecord]:
        """Return logged models by id."""
        found = {}
        for filter_string in _filters("model_id", ids):
            for model in self._pages(
                "search_logged_models",
                experiment_ids=self._experiments,
                filter_string=filter_string,
                max_results=IDS_PAGE,
            ):
                metrics = latest(model.metrics or ())
                found[model.model_id] = ModelRecord(_uri(model.artifact_location), dict(model.tags or {}), metrics)
        return found

    def runs(self, ids: Sequence[str]) -> dict[str, RunRecord]:
        """Return runs by id, deleted ones included."""
        found = {}
        for filter_string in _filters("attributes.run_id", ids):
            for run in self._pages(
                "search_runs",
                experiment_ids=self._experiments,
                filter_string=filter_string,
                run_view_type=_everything(),
                max_results=IDS_PAGE,
            ):
                datasets = tuple(
                    DatasetRecord(used.dataset.name, used.dataset.digest, {tag.key: tag.value for tag in used.tags})
                    for used in (run.inputs.dataset_inputs if run.inputs else ())
                )
                run_id = run.info.run_id
                found[run_id] = RunRecord(run_id, dict(run.data.tags), dict(run.data.metrics), datasets)
        return found

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Point an alias at a version; idempotent."""
        self._asked("set_registered_model_alias", {"name": name, "alias": alias, "version": str(version)})

    def set_version_tag(self, name: str, version: int, tag: str, value: str) -> None:
        """Write a tag of a version; idempotent."""
        self._asked("set_model_version_tag", {"name": name, "version": str(version), "key": tag, "value": value})

    @cached_property
    def _experiments(self) -> list[str]:
        found = self._pages("search_experiments", view_type=_everything(), max_results=EXPERIMENTS_PAGE)
        return [experiment.experiment_id for experiment in found]

    @cached_property
    def _client(self) -> MlflowClient:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        from mlflow import MlflowClient

        return MlflowClient(self.uri, registry_uri=self.uri)

    def _pages(self, method: str, **arguments: Any) -> Iterator[Any]:
        token: str | None = None
        while True:
            page = self._asked(method, {**arguments, "page_token": token})
            yield from page
            token = page.token
            if not token:
                return

    def _asked(self, method: str, arguments: dict[str, Any]) -> Any:
        """Call MLflow with short limits; after a failure of a healthy server, once more with long ones."""
        client = self._client
        from mlflow.exceptions import MlflowException

        while True:
            try:
                with _limited(self._patient):
                    return getattr(client, method)(**arguments)
            except MlflowException as error:
                transport = "failed with" in str(error) and "exception" in str(error)
                if transport and not self._patient and self._healthy():
                    self._patient = True
                    continue
                raise _explained(self.uri, error, transport) from None

    def _healthy(self) -> bool:
        import requests

        try:
            verify = os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
            return requests.get(f"{self.uri.rstrip('/')}/health", timeout=HEALTH_TIMEOUT, verify=verify).ok
        except requests.RequestException:
            return False


def _explained(uri: str, error: MlflowException, transport: bool) -> SlipwayError:
    """Return MLflow's error in one line (mlflow/exceptions.py has the codes)."""
    where = f"registry {shown(uri)}"
    if transport:
        return SlipwayError(f"{where} cannot be reached; check that it runs, and its address", ExitCode.UNREACHABLE)
    if error.error_code in ("UNAUTHENTICATED", "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED"):
        remedy = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
        return SlipwayError(f"{where} refuses these credentials; {remedy}")
    if error.error_code == "ENDPOINT_NOT_FOUND":
        return SlipwayError(f"{where} is no MLflow 3 server; check the address")
    return SlipwayError(f"{where} answered with an error ({error.error_code}: {str(error).splitlines()[0]})")


@contextmanager
def _limited(patient: bool) -> Iterator[None]:
    """Set MLflow's limits, which it reads from the environment at each call, for one call."""
    limits = {**PATIENT, **{name: os.environ[name] for name in PATIENT if name in os.environ}} if patient else IMPATIENT
    before = {name: os.environ.get(name) for name in limits}
    os.environ.update(limits)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _everything() -> int:
    from mlflow.entities import ViewType

    return ViewType.ALL


def _filters(field: str, ids: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(ids), IDS_PAGE):
        quoted = ", ".join(f"'{each}'" for each in ids[start : start + IDS_PAGE])
        yield f"{field} IN ({quoted})"


def _uri(location: str) -> str:
    return f"file://{location}" if location.startswith("/") else location
