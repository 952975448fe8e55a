"""Check of an environment's models against its quota, before any pod waits for room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from slipway.compile.rollout_checks import setting
from slipway.models.spec import ModelSpec
from slipway.quantities import cores, size
from slipway.rollout.plan import ModelPlan
from slipway.settings.environment import Environment


def over_quota(
    specs: Mapping[str, ModelSpec], plans: Mapping[str, ModelPlan], environment: Environment
) -> Iterator[str]:
    """Refuse models whose minimum replicas, of every running release, need more than the quota.

    The autoscaler stops at the quota with any more.
    """
    if environment.platform.cost is None:
        return
    quota = environment.platform.cost.models
    needed: dict[str, dict[str, float]] = {"cpu": {}, "memory": {}, "gpus": {}, "pods": {}}
    for name, plan in plans.items():
        serving = specs[name].serving
        replicas = serving.replicas.min * len(plan.declared)
        for what, amount in (("cpu", cores(serving.cpu)), ("memory", size(serving.memory)), ("gpus", serving.gpus)):
            needed[what][name] = replicas * amount
        needed["pods"][name] = replicas
    allowed = {"cpu": cores(quota.cpu), "memory": size(quota.memory), "gpus": quota.gpus, "pods": quota.pods}
    for what, models in needed.items():
        if (total := sum(models.values())) > allowed[what]:
            unit, each = ("Gi ", 2**30) if what == "memory" else ("", 1)
            most = max(models, key=lambda name: models[name])
            yield (
                f"{setting(environment, f'platform.cost.models.{what}')}{getattr(quota, what)}: the minimum replicas of"
                f" all models need {total / each:g} {unit}with candidates included, most of it {most}"
                f" ({models[most] / each:g}); raise it, or lower serving.replicas.min"
            )
