"""Makes the project directories: a pinned environment of many models for Slipway's program, small ones for the rest."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from slipway import documents
from slipway.models.digest import local_tree
from slipway.models.pins import Pin, Pins
from slipway.models.release import Artifact, Column, Dataset, RegistryRef, Release, Releases, Signature
from tests.bench.servers import BUCKET
from tests.bench.toolbox import ROOT, STACK

NAMESPACE = "models"
PROGRAMS = Path(__file__).parent / "programs"

_MLMODEL = """\
flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.7}
  sklearn: {pickled_model: model.skops, serialization_format: skops, sklearn_version: 1.9.1}
mlflow_version: 3.17.2
signature:
  inputs: '[{"type": "double", "name": "age"}, {"type": "long", "name": "visits"}]'
  outputs: '[{"type": "long", "name": "label"}]'
"""

#: What a stack of the bench sets, as `Pulumi.prod.yaml` does with the defaults of `Pulumi.yaml`.
SETTINGS: Mapping[str, Any] = {
    "releases": "pinned",
    "cluster": {"identifier": "bench", "kubeconfig": "kubeconfig"},
    "gateway": {"name": "models-gateway", "namespace": "gateway-system", "host_suffix": "models.example.com"},
    "prometheus_url": "http://prometheus.monitoring:9090",
    "rollout": {"strategy": "canary", "steps": [1, 5, 25, 100], "interval_seconds": 300, "threshold": 3},
    "service_account": "models",
    "runtime": "kserve-mlserver",
    "protect": True,
}


def names(count: int) -> list[str]:
    """Name models."""
    return [f"model-{number:04d}" for number in range(count)]


def write_artifacts(store: Path, models: Iterable[str], versions: Iterable[int]) -> None:
    """Fill the bucket with small model trees, as MLflow lays them out."""
    for model in models:
        for version in versions:
            folder = store / BUCKET / model / str(version)
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "MLmodel").write_text(_MLMODEL)
            (folder / "model.skops").write_text(f"{model} {version}\n" * 64)


def write_slipway(folder: Path, models: list[str], store: Path, kubeconfig: str, **settings: Any) -> None:
    """Make a project of Slipway's: the checkout's own program over generated models."""
    folder.mkdir(parents=True)
    for part in ("__main__.py", "stacks", "components", "slipway"):
        (folder / part).symlink_to(ROOT / part)
    project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
    # Whatever Python runs the bench has the packages, first on PATH.
    project["runtime"].get("options", {}).pop("virtualenv", None)
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump(project, sort_keys=False))
    (folder / "kubeconfig").write_text(kubeconfig)
    config = {f"slipway:{key}": value for key, value in {**SETTINGS, **settings}.items()}
    (folder / f"Pulumi.{STACK}.yaml").write_text(yaml.safe_dump({"config": config}))
    (folder / "models").mkdir()
    for model in models:
        (folder / "models" / f"{model}.yaml").write_text(_spec(model))
    releases = Releases(folder / "releases")
    stable = {model: _release(model, 1, store) for model in models}
    for release in stable.values():
        releases.write(release)
    pin(folder, {model: release.id for model, release in stable.items()})


def pin(folder: Path, stable: Mapping[str, str], candidates: Mapping[str, str] | None = None) -> None:
    """Write the pins."""
    pins = {model: Pin(stable=release, candidate=(candidates or {}).get(model)) for model, release in stable.items()}
    (folder / "pins").mkdir(exist_ok=True)
    documents.write(folder / "pins" / f"{STACK}.yaml", Pins(environment=STACK, models=pins))


def change_one(folder: Path, model: str, store: Path) -> None:
    """Let one model have a candidate."""
    candidate = _release(model, 2, store)
    Releases(folder / "releases").write(candidate)
    content = yaml.safe_load((folder / "pins" / f"{STACK}.yaml").read_text())
    stable = {name: entry["stable"] for name, entry in content["models"].items()}
    pin(folder, stable, {model: candidate.id})


def write_program(folder: Path, program: str) -> None:
    """Make a project of one of the other programs."""
    folder.mkdir(parents=True)
    shutil.copy(PROGRAMS / f"{program}.py", folder / "__main__.py")
    # The same project name, so that the same resources have the same URNs.
    (folder / "Pulumi.yaml").write_text(json.dumps({"name": "slipway", "runtime": "python"}))


def _spec(model: str) -> str:
    content = {
        "name": model,
        "owner": "team-growth",
        "description": f"Scores what {model} scores.",
        "serving": {"cpu": "500m", "memory": "1Gi", "replicas": {"min": 1, "max": 4}, "env": {"LOG_LEVEL": "info"}},
        "objectives": {
            "success_rate_percent": {"at_least": 99.5},
            "latency_p95_ms": {"at_most": 250.0},
            "latency_p99_ms": {"at_most": 900.0},
        },
        "gates": [{"metric": "accuracy", "at_least": 0.8}],
        "rollout": {"requests_per_second": 20.0},
    }
    return yaml.safe_dump(content, sort_keys=False)


def _release(model: str, version: int, store: Path) -> Release:
    tree = local_tree(store / BUCKET / model / str(version))
    return Release.create(
        model=model,
        registry=RegistryRef(
            registered_model=model, version=version, run_id=f"{version:032x}", model_id=f"m-{version:032x}"
        ),
        artifact=Artifact(
            uri=f"s3://{BUCKET}/{model}/{version}",
            digest=tree.digest,
            size_bytes=tree.size_bytes,
            files=tree.files,
        ),
        dataset=Dataset(name=f"{model}-training", digest="sha256:" + "d" * 64),
        git_commit="c" * 40,
        signature=Signature(
            flavor="sklearn",
            serialization_format="skops",
            mlflow_version="3.17.2",
            inputs=(Column(name="age", type="double"), Column(name="visits", type="long")),
            outputs=(Column(name="label", type="long"),),
        ),
        metrics={"accuracy": 0.91, "f1": 0.87},
    )
