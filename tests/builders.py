"""Domain objects with sensible content, for tests to vary."""

from __future__ import annotations

from typing import Any

from slipway.models.release import Artifact, Column, Dataset, RegistryRef, Release, Signature
from slipway.models.spec import ModelSpec
from slipway.rollout.plan import ModelPlan
from slipway.settings.environment import Environment


def a_release(
    model: str = "churn",
    version: int = 7,
    *,
    digest: str | None = None,
    uri: str | None = None,
    dataset: str = "sha256:" + "d" * 64,
    metrics: dict[str, float] | None = None,
) -> Release:
    """Make a release whose bytes depend on its model's name with its version."""
    name = f"{model}-{version}".encode().hex()
    return Release.create(
        model=model,
        registry=RegistryRef(
            registered_model=model, version=version, run_id=f"{version:032x}", model_id=f"m-{version:032x}"
        ),
        artifact=Artifact(
            uri=uri or f"s3://mlflow/{model}/{version}/artifacts",
            digest=digest or f"sha256:{name[-64:]:0>64}",
            size_bytes=1024,
            files=5,
        ),
        dataset=Dataset(name="training", digest=dataset),
        git_commit="c" * 40,
        signature=Signature(flavor="sklearn", mlflow_version="3.17.2", inputs=(Column(name="age", type="double"),)),
        metrics={"accuracy": 0.9} if metrics is None else metrics,
    )


def a_spec(name: str = "churn", **changes: Any) -> ModelSpec:
    """Make a model spec; `changes` replace whole top-level keys."""
    content: dict[str, Any] = {
        "name": name,
        "owner": "growth",
        "objectives": {"success_rate_percent": {"at_least": 99.5}, "latency_p95_ms": {"at_most": 250}},
        "rollout": {"requests_per_second": 20},
    }
    return ModelSpec.model_validate({**content, **changes}, strict=False)


def an_environment(name: str = "staging", **changes: Any) -> Environment:
    """Make an environment; `changes` replace whole top-level settings."""
    settings: dict[str, Any] = {
        "releases": "pinned",
        "cluster": {"identifier": "staging"},
        "gateway": {"name": "models", "namespace": "gateway-system", "host_suffix": "models.example.com"},
        "service_account": "models",
        "runtime": "kserve-mlserver",
        "prometheus_url": "http://prometheus.monitoring:9090",
        "rollout": {"strategy": "canary", "steps": [10, 25, 50, 100], "interval_seconds": 60, "threshold": 3},
        "protect": False,
    }
    return Environment.parse(name, {**settings, **changes}, f"Pulumi.{name}.yaml")


def a_plan(stable: Release, candidate: Release | None = None, **changes: Any) -> ModelPlan:
    """Make a plan in mid-rollout: the candidate, if there is one, is the target."""
    return ModelPlan(stable, candidate, candidate or stable, **{"live": stable, **changes})
