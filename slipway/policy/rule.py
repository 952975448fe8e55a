"""The parts of a policy."""

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
#: Kyverno derives the same rule for owners of pods (Deployment, Job …) if a rule names nothing but pods.
POD = Target("", "v1", "pods", "Pod")
#: Containers that are put into a running pod; no compiled object has this kind.
DEBUGGING = Target("", "v1", "pods/ephemeralcontainers", "Pod/ephemeralcontainers")


@dataclass(frozen=True)
class Check:
    """One condition of a rule.

    Args:
        expression: In CEL, over `object`; it evaluates for any object, so that a refusal always shows `message`.
        message: Where, what was expected, what to do.
    """

    expression: str
    message: str


@dataclass(frozen=True)
class Rule:
    """One policy.

    Args:
        name: Of the policy, without the suffix of its stage.
        title: The rule as a sentence.
        checks: All of them must hold.
        namespace: The only namespace that the rule covers; None covers all.
    """

    name: str
    title: str
    target: Target
    checks: tuple[Check, ...]
    namespace: str | None = None
