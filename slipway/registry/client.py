"""Reader of MLflow's registry, in pages.

The number of calls depends on the pages, not on the models in them. It never writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property

from pydantic import ValidationError

from slipway.documents import nearest
from slipway.errors import SlipwayError
from slipway.models.gates import failed_gates
from slipway.models.release import Artifact, Release
from slipway.models.spec import ModelSpec
from slipway.registry import cache
from slipway.registry.artifacts import MLMODEL, read_artifact
from slipway.registry.connection import Connection, shown
from slipway.registry.facts import Facts, RunRecord, VersionRecord, facts
from slipway.registry.rejections import rejection_tag

Pair = tuple[str, int]

#: Threads that read artifacts: they mostly wait for the store.
READERS = 8


class Registry:
    """Snapshot of one MLflow server: each page is read at most once."""

    def __init__(self, tracking_uri: str | None) -> None:
        """Connect to a URI, by default MLFLOW_TRACKING_URI.

        Raises:
            SlipwayError: No URI, an unsupported scheme, or a missing SQLite file.
        """
        self._connection = Connection(tracking_uri)
        self._facts: dict[Pair, Facts] = {}

    def champions(self, alias: str) -> dict[str, int]:
        """Return the version of an alias, for every registered model that has it."""
        return {name: aliases[alias] for name, aliases in self._aliases.items() if alias in aliases}

    def resolve(self, specs: Mapping[str, ModelSpec], alias: str) -> dict[str, Release]:
        """Freeze the version of an alias, for every model spec.

        Raises:
            SlipwayError: A registered model or its alias is missing, or a version fails a gate of its spec.
        """
        versions = {}
        missing = []
        for name, spec in specs.items():
            aliases = self._aliases.get(spec.registered_model)
            if aliases is None:
                missing.append(f"{_where(spec)}{self._unknown_model(spec.registered_model)}")
            elif alias not in aliases:
                known = ", ".join(f"{key} (version {value})" for key, value in sorted(aliases.items())) or "no alias"
                missing.append(
                    f"{_where(spec)}registered model {spec.registered_model!r} has no alias {alias!r}; it has {known}"
                )
            else:
                versions[name] = aliases[alias]
        _refuse(missing)
        return self._gated(specs, versions)

    def release_of(self, spec: ModelSpec, version: int) -> Release:
        """Freeze one version of a model.

        Raises:
            SlipwayError: The version does not exist, or it fails a gate of the spec.
        """
        return self._gated({spec.name: spec}, {spec.name: version})[spec.name]

    def running(self, specs: Mapping[str, ModelSpec], versions: Mapping[str, int]) -> dict[str, Release]:
        """Freeze live versions, by model; gates apply to new versions only.

        Raises:
            SlipwayError: A version does not exist.
        """
        self._check_versions(specs, versions)
        found = self.facts((specs[name].registered_model, version) for name, version in versions.items())
        return {name: found[specs[name].registered_model, version].release(name) for name, version in versions.items()}

    def rejections(self, environment: str) -> dict[str, dict[int, str]]:
        """Return an environment's rejections, from the versions' pages: registered model to version to reason."""
        tag = rejection_tag(environment)
        found = dict[str, dict[int, str]]()
        for record in self._versions.values():
            if tag in record.tags:
                found.setdefault(record.name, {})[record.version] = record.tags[tag]
        return found

    def facts(self, pairs: Iterable[Pair]) -> dict[Pair, Facts]:
        """Return the facts of (registered model, version) pairs, in one call per page.

        Raises:
            SlipwayError: A version is missing, or lacks a fact that a release needs.
        """
        wanted = dict.fromkeys(pairs)
        unknown = [pair for pair in wanted if pair not in self._facts]
        if unknown:
            records = self._records(unknown)
            self._facts |= self._cached(records)
            self._facts |= self._read([record for pair, record in records.items() if pair not in self._facts])
        return {pair: self._facts[pair] for pair in wanted}

    def _gated(self, specs: Mapping[str, ModelSpec], versions: Mapping[str, int]) -> dict[str, Release]:
        releases = self.running(specs, versions)
        doubted = [name for name, release in releases.items() if any(failed_gates(specs[name], release))]
        if doubted:
            # A metric may have been logged since these facts were cached, so a cached fact never refuses a version.
            again = [(specs[name].registered_model, versions[name]) for name in doubted]
            self._facts |= self._read(list(self._records(again).values()))
            releases |= self.running(specs, {name: versions[name] for name in doubted})
        _refuse(
            [
                f"models/{name}.yaml: gates[{index}]: registered model {specs[name].registered_model!r} version"
                f" {versions[name]} is refused: {reason}"
                for name in doubted
                for index, reason in failed_gates(specs[name], releases[name])
            ]
        )
        return releases

    @cached_property
    def _aliases(self) -> dict[str, dict[str, int]]:
        return self._connection.aliases()

    @cached_property
    def _versions(self) -> dict[Pair, VersionRecord]:
        return {(record.name, record.version): record for record in self._connection.versions()}

    def _check_versions(self, specs: Mapping[str, ModelSpec], versions: Mapping[str, int]) -> None:
        missing = []
        for name, version in versions.items():
            spec = specs[name]
            if (spec.registered_model, version) in self._facts or (spec.registered_model, version) in self._versions:
                continue
            missing.append(f"{_where(spec)}{self._unknown_version(spec.registered_model, version)}")
        _refuse(missing)

    def _records(self, pairs: Iterable[Pair]) -> dict[Pair, VersionRecord]:
        found = {}
        for pair in pairs:
            if pair not in self._versions:
                raise SlipwayError(self._unknown_version(*pair))
            found[pair] = self._versions[pair]
        return found

    def _cached(self, records: Mapping[Pair, VersionRecord]) -> dict[Pair, Facts]:
        found = {}
        for pair, record in records.items():
            text = cache.registry_cache().get("facts", self._key(record))
            if text is not None:
                with suppress(ValidationError):
                    found[pair] = Facts.model_validate_json(text)
        return found

    def _read(self, records: list[VersionRecord]) -> dict[Pair, Facts]:
        """Read unknown facts from the registry, then from the artifact store."""
        sources = {(record.name, record.version): self._source(record) for record in records}
        models = self._connection.logged_models(sorted({s for s in sources.values() if s.startswith("m-")}))
        runs = self._connection.runs(sorted({record.run_id for record in records if record.run_id}))

        def one(record: VersionRecord) -> Facts:
            where = f"registered model {record.name!r} version {record.version}: "
            source = sources[record.name, record.version]
            model = models.get(source)
            if source.startswith("m-") and model is None:
                raise SlipwayError(f"{where}its logged model {source} is gone; register the model again")
            uri = model.uri if model else source
            run = runs.get(record.run_id) or RunRecord(record.run_id, {}, {}, ())
            try:
                read = read_artifact(uri)
                artifact = Artifact(
                    uri=uri, digest=read.tree.digest, size_bytes=read.tree.size_bytes, files=read.tree.files
                )
                return facts(
                    record,
                    source if model else "",
                    run,
                    model.tags if model else {},
                    model.metrics if model else {},
                    artifact,
                    read.texts.get(MLMODEL, ""),
                )
            except SlipwayError as error:
                raise SlipwayError(f"{where}{error}", error.exit_code) from None

        pool = ThreadPoolExecutor(READERS)
        try:
            pairs = ((record.name, record.version) for record in records)
            found = dict(zip(pairs, pool.map(one, records), strict=True))
        finally:
            # After the first failure, cancel the others.
            pool.shutdown(cancel_futures=True)
        texts = {self._key(record): found[record.name, record.version].model_dump_json() for record in records}
        cache.registry_cache().put("facts", texts)
        return found

    def _source(self, record: VersionRecord) -> str:
        """Resolve `models:/<name>/<version>` of copied versions to a logged model's id or a plain address."""
        source = record.source
        for _ in range(len(self._versions)):
            target = source.removeprefix("models:/")
            if target == source or target.startswith("m-"):
                return target
            name, _, version = target.rpartition("/")
            copied = self._versions.get((name, int(version))) if version.isdigit() else None
            if copied is None:
                break
            source = copied.source
        raise SlipwayError(
            f"registered model {record.name!r} version {record.version}: its source {record.source} is gone;"
            " register the model again"
        )

    def _key(self, record: VersionRecord) -> str:
        return json.dumps([shown(self._connection.uri), record.key])

    def _unknown_model(self, name: str) -> str:
        near = nearest(name, list(self._aliases))
        known = f"nearest is {near!r}" if near else f"it has {len(self._aliases)} others"
        return f"no registered model {name!r} in {shown(self._connection.uri)}; {known}"

    def _unknown_version(self, name: str, version: int) -> str:
        known = sorted(have for model, have in self._versions if model == name)
        if not known:
            return self._unknown_model(name)
        return f"registered model {name!r} has no version {version}; it has {', '.join(map(str, known[-5:]))}"


def _where(spec: ModelSpec) -> str:
    return f"models/{spec.name}.yaml: registered_model: "


def _refuse(problems: list[str]) -> None:
    if problems:
        raise SlipwayError(problems[0] + (f" (+{len(problems) - 1} more)" if len(problems) > 1 else ""))
