"""Check of compiled objects against the rules: the policies' own expressions, in the CEL project's library."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from slipway.policy.rule import Rule

if TYPE_CHECKING:
    from cel_expr_python import cel


@dataclass(frozen=True)
class Violation:
    """A failed check of one object."""

    rule: str
    kind: str
    name: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.message} (policy {self.rule})"


def violations(rules: Iterable[Rule], objects: Iterable[Mapping[str, Any]]) -> Iterator[Violation]:
    """Yield the violations that a cluster would refuse if it enforced the rules."""
    by_kind: dict[str, list[Rule]] = {}
    for rule in rules:
        by_kind.setdefault(rule.target.kind, []).append(rule)
    for each in objects:
        about = [rule for rule in by_kind.get(each["kind"], ()) if _concerns(rule, each)]
        # Nearly every object passes with this one evaluation.
        if not about or holds(_all(tuple(about)), each):
            continue
        for rule in about:
            for check in rule.checks:
                if not holds(check.expression, each):
                    yield Violation(rule.name, each["kind"], each["metadata"]["name"], check.message)


def holds(expression: str, subject: Mapping[str, Any]) -> bool:
    """Evaluate one expression; one that cannot be evaluated does not hold, as in a cluster that enforces."""
    try:
        return _program(expression).eval(data={"object": subject}).value() is True
    except RuntimeError:
        return False


def _concerns(rule: Rule, subject: Mapping[str, Any]) -> bool:
    return rule.namespace in (None, subject["metadata"].get("namespace"))


@lru_cache
def _all(rules: tuple[Rule, ...]) -> str:
    return " && ".join(f"({check.expression})" for rule in rules for check in rule.checks)


@lru_cache
def _program(expression: str) -> cel.Expression:
    return _environment().compile(expression)


@lru_cache
def _environment() -> cel.Env:
    # Imported here: an environment without policies does not pay for it.
    from cel_expr_python import cel
    from cel_expr_python.ext.ext_optional import ExtOptional

    # Kubernetes' own addition to CEL (k8s.io/apiserver pkg/cel/library/lists.go).
    numbers = [cel.Type.List(cel.Type.INT)]
    total = cel.Overload("list_int_sum", return_type=cel.Type.INT, parameters=numbers, is_member=True, impl=sum)
    functions = [cel.FunctionDecl("sum", [total])]
    return cel.NewEnv(variables={"object": cel.Type.DYN}, functions=functions, extensions=[ExtOptional()])
