"""The rules about pods of any origin."""

from __future__ import annotations

import re
from dataclasses import replace

from slipway.policy.rule import DEBUGGING, POD, Check, Rule
from slipway.policy.serving import GPU_REMEDY, HAS_BUSINESS_CASE
from slipway.settings.policies import PoliciesSettings

_CONTAINERS = "(object.spec.containers + object.spec.?initContainers.orValue([]))"
_ALL_CONTAINERS = (
    "(object.spec.containers + object.spec.?initContainers.orValue([]) + object.spec.?ephemeralContainers.orValue([]))"
)
_GPUS = "each.?resources.?limits[?'nvidia.com/gpu'].orValue(dyn('0'))"
_VOLUMES = "object.spec.?volumes.orValue([])"


def gpus(settings: PoliciesSettings) -> Rule:
    """Bound the GPUs of a pod: containers use theirs at once, init containers one after the other."""
    whole = f"{_CONTAINERS}.all(each, string({_GPUS}).matches('^[0-9]{{1,3}}$'))"
    most = settings.max_gpus
    return Rule(
        "slipway-gpus",
        "A pod has few GPUs, or a business case.",
        POD,
        (
            Check(whole, "spec.containers: expected a whole number of GPUs in resources.limits"),
            Check(
                f"!({whole}) || {HAS_BUSINESS_CASE} || object.spec.containers.map(each, int({_GPUS})).sum() <= {most}",
                f"spec.containers: expected at most {most} GPUs in all; {GPU_REMEDY}",
            ),
            Check(
                f"!({whole}) || {HAS_BUSINESS_CASE}"
                f" || object.spec.?initContainers.orValue([]).all(each, int({_GPUS}) <= {most})",
                f"spec.initContainers: expected at most {most} GPUs each; {GPU_REMEDY}",
            ),
        ),
    )


def spot_training(namespace: str) -> Rule:
    """Keep training on spot nodes, which cost a third."""
    return Rule(
        "slipway-spot-training",
        "Training runs on spot nodes.",
        POD,
        (
            Check(
                "object.spec.?nodeSelector[?'eks.amazonaws.com/capacityType'].orValue('') == 'SPOT'"
                " || object.spec.?nodeSelector[?'karpenter.sh/capacity-type'].orValue('') == 'spot'",
                "spec.nodeSelector: expected eks.amazonaws.com/capacityType: SPOT or karpenter.sh/capacity-type: spot;"
                " training runs on spot nodes",
            ),
            Check(
                "object.spec.?tolerations.orValue([]).exists(each, each.?key.orValue('') == 'slipway.dev/pool'"
                " && each.?value.orValue('training') == 'training' && each.?effect.orValue('') == 'NoSchedule')",
                "spec.tolerations: expected slipway.dev/pool=training with effect NoSchedule, the taint of the spot"
                " nodes",
            ),
        ),
        namespace=namespace,
    )


def images(settings: PoliciesSettings) -> Rule:
    """Allow images by digest from known registries, in volumes too: a model could come as one."""
    known = "|".join(map(re.escape, settings.registries))
    pattern = rf"^({known})[a-z0-9._/-]*[a-z0-9](:[A-Za-z0-9._-]+)?@sha256:[0-9a-f]{{64}}$"
    return Rule(
        "slipway-images",
        "Images come from known registries, by digest.",
        POD,
        (
            Check(
                f"{_ALL_CONTAINERS}.all(each, each.?image.orValue('').matches(r'{pattern}'))",
                "spec.containers: expected images <name>@sha256:<digest>, of a name that begins with"
                f" {' or '.join(settings.registries)}; run `slipway images lock`",
            ),
            Check(
                f"{_VOLUMES}.all(each, !has(each.image) || each.image.?reference.orValue('').matches(r'{pattern}'))",
                "spec.volumes: expected images <name>@sha256:<digest>, of a name that begins with"
                f" {' or '.join(settings.registries)}",
            ),
        ),
    )


def debugging(rule: Rule) -> Rule:
    """Return a rule's copy for containers that are put into a running pod.

    It is a separate rule: Kyverno derives rules for Deployments only from one about pods alone, whose webhook does not
    receive these containers (seen with 1.19.1).
    """
    return replace(rule, name=f"{rule.name}-debugging", title=f"{rule.title} While debugging too.", target=DEBUGGING)


def unprivileged() -> Rule:
    """Isolate pods from their node: Kubernetes' baseline without privilege escalation."""
    return Rule(
        "slipway-unprivileged",
        "Pods cannot leave their container.",
        POD,
        (
            Check(
                f"{_ALL_CONTAINERS}.all(each, !each.?securityContext.?privileged.orValue(false))",
                "spec.containers: expected securityContext.privileged false; remove it",
            ),
            Check(
                f"{_ALL_CONTAINERS}.all(each, !each.?securityContext.?allowPrivilegeEscalation.orValue(true))",
                "spec.containers: expected securityContext.allowPrivilegeEscalation: false, said for each; without it"
                " a container may gain privileges",
            ),
            Check(
                f"{_ALL_CONTAINERS}.all(each, size(each.?securityContext.?capabilities.?add.orValue([])) == 0)",
                "spec.containers: expected no securityContext.capabilities.add; remove it",
            ),
            Check(
                "['hostPID', 'hostNetwork', 'hostIPC'].all(each, !object.spec[?each].orValue(false))",
                "spec: expected none of hostPID, hostNetwork, hostIPC; remove it",
            ),
            Check(
                f"{_VOLUMES}.all(each, !has(each.hostPath))",
                "spec.volumes: expected no hostPath, which is the node's own disk; use another kind of volume",
            ),
        ),
    )
