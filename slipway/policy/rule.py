"""What a policy consists of."""

from __future__ import annotations

from dataclasses import dataclass

from slipway.models import llm


@dataclass(frozen=True)
class Target:
    """The kind of object that a rule is about."""

    group: str
    version: str
    resource: str
    kind: str


INFERENCE_SERVICE = Target("serving.kserve.io", "v1beta1", "inferenceservices", "InferenceService")
LLM_INFERENCE_SERVICE = Target(llm.GROUP, llm.VERSION, "llminferenceservices", llm.KIND)
#: Kyverno derives the same rule for what makes pods (Deployment, Job …), as long as a rule names nothing but pods.
POD = Target("", "v1", "pods", "Pod")
#: Containers that are put into a running pod. Nothing that is compiled is one: no object has this kind.
DEBUGGING = Target("", "v1", "pods/ephemeralcontainers", "Pod/ephemeralcontainers")


@dataclass(frozen=True)
class Check:
    """One thing that must hold.

    Args:
        expression: In CEL, over `object`; it never fails to evaluate, whatever the object holds, so that a refusal
            always has the words of `message`.
        message: Where, what was expected, what to do.
    """

    expression: str
    message: str


@dataclass(frozen=True)
class Rule:
    """One policy.

    Args:
        name: Of the policy, without its twin's suffix.
        title: What holds where it is kept.
        target: What it is about.
        checks: All of them must hold.
        namespace: The only one that it is about; None is about all.
    """

    name: str
    title: str
    target: Target
    checks: tuple[Check, ...]
    namespace: str | None = None
