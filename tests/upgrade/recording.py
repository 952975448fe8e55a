"""What the program registers for each environment, in a form that can be kept."""

from __future__ import annotations

import hashlib
import json
import lzma
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from recorder import Registered, Run
from states import serving
from upgrade.comparing import Registrations

from slipway.aws import access, account
from slipway.errors import NotYet

#: The files of the recorded version, with what its program registered: of models, which need no chart; of everything.
RECORDED = Path(__file__).resolve().parent / "recorded"
MODELS, WHOLE = RECORDED / "models.json.xz", RECORDED / "environments.json.xz"
#: What stands for a value that only AWS knows.
UNKNOWN = "(unknown)"
#: The case of tests/lab/test_upgrade_local.py.
LAB_CASE = "local-in-the-lab"
#: Options of a registration that decide what an engine does to a resource.
OPTIONS = (
    "aliases",
    "custom",
    "deleteBeforeReplace",
    "deleteBeforeReplaceDefined",
    "deletedWith",
    "ignoreChanges",
    "importId",
    "protect",
    "replaceOnChanges",
    "retainOnDelete",
    "version",
)
#: Models alone, applied by Pulumi, with pins also where an alias is followed.
_MODELS: Mapping[str, Any] = {
    "layers": ["metrics", "models"],
    "platform": {},
    "delivery": "direct",
    "releases": "pinned",
}


@dataclass(frozen=True)
class Case:
    """One run of the program.

    Args:
        stack: The environment.
        settings: What differs from its settings.
        pins: Whose pins it has; None takes the environment's own.
        moving: Whether every candidate is in the middle of its rollout; else nothing is there yet.
    """

    stack: str
    settings: Mapping[str, Any]
    pins: str | None = None
    moving: bool = False


def _models(stack: str, pins: str | None = None, *, moving: bool = False, **settings: Any) -> Case:
    given = {**_MODELS, "cluster": {"identifier": stack}, **settings}
    return Case(stack, given | ({"pins": pins} if pins else {}), pins, moving)


OBSERVED = {"payloads_url": "http://slipway-observe.slipway:9092"}
#: The variants are a model of each strategy, one that scales, and an LLM.
MODEL_CASES = {
    **{f"{stack}-models": _models(stack) for stack in ("local", "dev", "staging", "prod")},
    "staging-rollout": _models("staging", moving=True),
    "variants": _models("local", "variants"),
    "variants-rollout": _models("local", "variants", moving=True),
    "variants-observed": _models("local", "variants", **OBSERVED),
}
#: Whole environments, on AWS, with the platform.
WHOLE_CASES = {
    "dev": Case("dev", {"releases": "pinned"}),
    "staging": Case("staging", {"delivery": "gitops"}),
    "prod": Case("prod", {"delivery": "gitops"}),
}


def recorded_files(root: Path, pins: str | None = None) -> None:
    """Give a project the settings, the models, the releases and the pins of the recorded version."""
    for path in RECORDED.glob("Pulumi.*.yaml"):
        shutil.copy(path, root)
    for folder in ("models", "releases", "pins"):
        shutil.rmtree(root / folder, ignore_errors=True)
        shutil.copytree((RECORDED / pins if pins else RECORDED) / folder, root / folder)


def registered(case: Case, root: Path, run: Callable[..., Run], monkeypatch: pytest.MonkeyPatch) -> Registrations:
    """Preview an environment; on AWS, before it has a cluster."""

    def nothing(*_: Any) -> Any:
        raise NotYet("there is no cluster yet")

    monkeypatch.setattr(account, "check", lambda _: None)
    monkeypatch.setattr(access, "connect", nothing)
    recorded_files(root, case.pins)
    observed = serving(root, case.pins or case.stack) if case.moving else {}
    ran = run(case.stack, settings=case.settings, observed=observed)
    assert ran.exit_status is None, ran.said
    found: Registrations = {short(one.urn): _entry(one) for one in ran.engine.registered}
    assert len(found) == len(ran.engine.registered)
    return found


def _entry(one: Registered) -> dict[str, Any]:
    request = one.request
    options = {name: value for name in OPTIONS if (value := _plain(getattr(request, name)))}
    return {
        "parent": short(request.parent),
        "provider": short(request.provider.rpartition("::")[0]) if request.provider else "",
        "dependencies": sorted(map(short, request.dependencies)),
        "options": options,
        "inputs": json.loads(json.dumps(one.inputs, default=lambda _: UNKNOWN)),
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | str) else [str(each) for each in value]


def short(urn: str) -> str:
    """Leave out what all URNs of a stack have in common."""
    return "::".join(urn.split("::")[2:])


def dump(cases: Mapping[str, Registrations], path: Path) -> None:
    """Write registrations; equal inputs and equal lists of dependencies are kept once."""
    pool: dict[str, Any] = {}

    def kept(value: Any) -> str:
        key = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
        pool[key] = value
        return key

    content = {
        name: {
            urn: {**entry, "inputs": kept(entry["inputs"]), "dependencies": kept(entry["dependencies"])}
            for urn, entry in registrations.items()
        }
        for name, registrations in cases.items()
    }
    text = json.dumps({"pool": pool, "cases": content}, sort_keys=True, separators=(",", ":"))
    path.write_bytes(lzma.compress(text.encode(), preset=9))


def load(path: Path) -> dict[str, Registrations]:
    """Read what `dump` wrote."""
    content = json.loads(lzma.decompress(path.read_bytes()))
    pool = content["pool"]
    return {
        name: {
            urn: {**entry, "inputs": pool[entry["inputs"]], "dependencies": pool[entry["dependencies"]]}
            for urn, entry in registrations.items()
        }
        for name, registrations in content["cases"].items()
    }
