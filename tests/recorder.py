"""The whole program on a recording engine: fixtures of tests/program and tests/upgrade."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from google.protobuf import struct_pb2
from projects import Project
from pulumi.runtime import mocks, rpc, set_all_config
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.stack import run_in_stack
from states import MADE_BY_AWS

from slipway.planning import regions, verification
from slipway.rollout.observed import ObservedModel
from stacks import environment


@dataclass(frozen=True)
class Registered:
    """One registration, as the engine gets it; dependencies are names."""

    type: str
    name: str
    parent: str
    inputs: dict[str, Any]
    depends_on: frozenset[str]
    ignore_changes: tuple[str, ...]
    protect: bool
    version: str
    provider: str
    #: The whole message, for what only some tests look at.
    request: Any = field(repr=False, compare=False)
    urn: str


class Engine(mocks.MockMonitor):
    """Records what is registered."""

    def __init__(self) -> None:
        super().__init__(_NoCalls())
        self.registered: list[Registered] = []
        self.outputs: dict[str, Any] = {}
        self.told: set[str] = set()

    def RegisterResource(self, request: Any) -> Any:
        urn = self.make_urn(request.parent, request.type, request.name)
        self.registered.append(
            Registered(
                type=request.type,
                name=request.name,
                parent=_short(request.parent),
                inputs=rpc.deserialize_properties(request.object),
                depends_on=frozenset(_short(urn) for urn in request.dependencies),
                ignore_changes=tuple(request.ignoreChanges),
                protect=request.protect,
                version=request.version,
                provider=request.provider,
                request=request,
                urn=urn,
            )
        )
        # The mock's own answer would go through an event loop in this thread that nobody closes.
        made = struct_pb2.Struct()
        made.CopyFrom(request.object)
        made.update(_filled_in(request))
        return resource_pb2.RegisterResourceResponse(urn=urn, id=f"{request.name}-id", object=made)

    def RegisterResourceOutputs(self, request: Any) -> Any:
        assert request.urn not in self.told, f"{request.urn} has registered its outputs twice"
        self.told.add(request.urn)
        self.outputs[_short(request.urn)] = rpc.deserialize_properties(request.outputs)
        return super().RegisterResourceOutputs(request)


def _filled_in(request: Any) -> dict[str, Any]:
    if not request.type.startswith("aws:"):
        return {}
    service = request.type.split(":")[1].partition("/")[0]
    arn = f"arn:aws:{service}:eu-central-1:123456789012:{request.name}"
    return {"arn": arn, **MADE_BY_AWS.get(request.type, {})}


class _NoCalls(mocks.Mocks):
    def new_resource(self, args: Any) -> tuple[str, dict[str, Any]]:
        raise AssertionError(f"the program read {args.name}")

    def call(self, args: Any) -> dict[str, Any]:
        raise AssertionError(f"the program asked for {args.token}")


@dataclass
class Run:
    """What a run of the program did."""

    engine: Engine
    exit_status: int | None = None
    said: dict[str, list[str]] = field(default_factory=dict)

    @property
    def objects(self) -> list[Registered]:
        """Every Kubernetes object."""
        return [one for one in self.engine.registered if one.type.startswith("kubernetes:")]

    def one(self, kind: str, name: str) -> Registered:
        """The object of a kind with a name."""
        (found,) = [one for one in self.objects if one.type.endswith(f":{kind}") and one.name == name]
        return found


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, list[str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        self.said.setdefault(record.levelname.lower(), []).append(record.getMessage())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty copy of the project."""
    return Project(tmp_path)


@pytest.fixture
def run(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Run]]:
    """Run the program for a stack, as `pulumi preview` (or, with `preview=False`, `pulumi up`) would."""
    monkeypatch.chdir(project.root)
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    monkeypatch.setenv("PULUMI_HOME", str(project.root / "pulumi-home"))
    monkeypatch.setattr(pulumi.log, "debug", pulumi.log.debug)

    def run_program(
        stack: str = "staging",
        *,
        preview: bool = True,
        observed: Mapping[str, ObservedModel] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> Run:
        if observed is not None:
            monkeypatch.setattr(regions, "observe", lambda *_: observed)
            monkeypatch.setattr(verification, "verify", lambda _: [])
        # Most tests are about what Pulumi applies itself, in any environment.
        config = _config(project.root, stack, {"delivery": "direct", **(settings or {})})
        monkeypatch.setenv("PULUMI_CONFIG", pulumi.runtime.to_json(config))
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        log, logger = _Log(), logging.Logger("program")
        logger.addHandler(log)
        engine = Engine()
        pulumi.runtime.reset_options()
        # What set_mocks does, but for the stack: run_in_stack makes that.
        pulumi.runtime.configure(
            pulumi.runtime.Settings(
                project="slipway",
                organization="organization",
                stack=stack,
                dry_run=preview,
                monitor=engine,
                engine=mocks.MockEngine(logger),
            )
        )
        set_all_config(config)
        ran = Run(engine, said=log.said)

        def register() -> None:
            pulumi.run(environment.main)

        try:
            loop.run_until_complete(run_in_stack(register))
        except SystemExit as exited:
            ran.exit_status = int(str(exited.code))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()
        return ran

    yield run_program
    asyncio.set_event_loop(None)


def _config(root: Path, stack: str, changes: Mapping[str, Any]) -> dict[str, str]:
    """Merge the settings as the engine does, into texts."""
    schema = yaml.safe_load((root / "Pulumi.yaml").read_text())["config"]
    own = yaml.safe_load((root / f"Pulumi.{stack}.yaml").read_text())["config"]
    merged = {key: entry["default"] for key, entry in schema.items() if "default" in entry}
    merged |= own | {f"slipway:{key}": value for key, value in changes.items()}
    return {key: _text(value) for key, value in merged.items()}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(pulumi.runtime.to_json(value))


def _short(urn: str) -> str:
    return urn.rpartition("::")[2]
