"""Compiler of the rules to Kyverno's policies.

Kyverno's policies in CEL have no action by namespace, so each rule becomes two. One audits namespaces with the label of
that stage; the other refuses in all namespaces that do NOT have it, those without any label included.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from slipway.objects import Object
from slipway.policy.rule import Rule
from slipway.policy.stages import STAGE_LABEL
from slipway.settings.policies import AUDIT, ENFORCE, Stage

#: Kubernetes itself writes it; it cannot be changed.
_NAME_LABEL = "kubernetes.io/metadata.name"

#: A policy checks new objects, and changes of what it checks. Without this, an object from before the policy could not
#: be deleted if a finalizer has to go first. In a scan of existing objects the old object is empty.
_CHANGES = "oldObject == null || !oldObject.?spec.hasValue() || object.spec != oldObject.spec" + "".join(
    f" || object.metadata.?{field}.orValue({{}}) != oldObject.metadata.?{field}.orValue({{}})"
    for field in ("annotations", "labels")
)


def policies(rules: Iterable[Rule], exempt: Iterable[str]) -> tuple[Object, ...]:
    """Return both policies of every rule; namespaces named in `exempt` have none."""
    outside = tuple(exempt)
    return tuple(policy(rule, stage, outside) for rule in rules for stage in (AUDIT, ENFORCE))


def policy(rule: Rule, stage: Stage, exempt: tuple[str, ...] = ()) -> Object:
    """Return one of the two policies of a rule."""
    target = rule.target
    selector = [
        {"key": STAGE_LABEL, "operator": "In" if stage == AUDIT else "NotIn", "values": [AUDIT]},
        _by_name(rule.namespace, exempt),
    ]
    spec: dict[str, Any] = {
        # A policy that only reports must not stop anything, not even while Kyverno is away.
        "failurePolicy": "Ignore" if stage == AUDIT else "Fail",
        "validationActions": ["Audit", "Warn"] if stage == AUDIT else ["Deny"],
        "matchConstraints": {
            "namespaceSelector": {"matchExpressions": [each for each in selector if each["values"]]},
            "resourceRules": [
                {
                    "apiGroups": [target.group],
                    "apiVersions": [target.version],
                    "operations": ["CREATE", "UPDATE"],
                    "resources": [target.resource],
                }
            ],
        },
        "matchConditions": [{"name": "starts-or-changes", "expression": _CHANGES}],
        "validations": [{"expression": check.expression, "message": check.message} for check in rule.checks],
    }
    if "/" in target.resource:
        # A subresource is a request, which a scan cannot find.
        spec["evaluation"] = {"background": {"enabled": False}}
    return {
        "apiVersion": "policies.kyverno.io/v1",
        "kind": "ValidatingPolicy",
        "metadata": {"name": f"{rule.name}-{stage}", "annotations": {"policies.kyverno.io/title": rule.title}},
        "spec": spec,
    }


def _by_name(only: str | None, exempt: tuple[str, ...]) -> dict[str, Any]:
    if only:
        return {"key": _NAME_LABEL, "operator": "In", "values": [only]}
    return {"key": _NAME_LABEL, "operator": "NotIn", "values": list(exempt)}
