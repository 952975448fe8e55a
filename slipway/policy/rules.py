"""The set of rules."""

from __future__ import annotations

from slipway.aws import names
from slipway.policy import llm, pods, serving
from slipway.policy.rule import LLM_INFERENCE_SERVICE, Rule
from slipway.policy.stages import training
from slipway.settings.environment import Environment
from slipway.settings.policies import PoliciesSettings


def rules(settings: PoliciesSettings, environment: Environment) -> tuple[Rule, ...]:
    """Return all rules with an environment's settings."""
    settings = _with_own(settings, environment)
    images, unprivileged = pods.images(settings), pods.unprivileged()
    return (
        serving.provenance(),
        serving.pinned_storage(settings),
        serving.replicas(settings),
        serving.served_gpus(settings),
        serving.provenance("slipway-llm-provenance", LLM_INFERENCE_SERVICE),
        llm.pinned_storage(settings),
        llm.replicas(settings),
        llm.gpus(settings),
        pods.gpus(settings),
        pods.spot_training(training(environment)),
        images,
        pods.debugging(images),
        unprivileged,
        pods.debugging(unprivileged),
    )


def _with_own(settings: PoliciesSettings, environment: Environment) -> PoliciesSettings:
    """Allow the bucket and the registry that the environment creates."""
    eks = environment.cluster.eks
    if eks is None:
        return settings
    registry = f"{eks.account}.dkr.ecr.{eks.region}.amazonaws.com/"
    own = {
        "buckets": (*settings.buckets, names.bucket(environment, "mlflow")),
        "registries": (*settings.registries, registry),
    }
    return settings.model_copy(update=own)
