"""The policies in Kyverno's own command line, every row of which must have been evaluated.

`kyverno test` takes a policy that never looked at an object for one that passed (REASON `Excluded`), whatever was
expected. So every row must say `Ok`, but those that are here because a policy must not look: beside each of them stands
one of the policy without the condition that keeps it away.
"""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from policy_cases import CASES, ENVIRONMENT, LLM, NAMESPACE, POD, SERVICE, SETTINGS, changed

from slipway.policy.check import violations
from slipway.policy.kyverno import policy
from slipway.policy.rule import DEBUGGING, Check, Rule
from slipway.policy.rules import rules
from slipway.policy.stages import STAGE_LABEL, TRAINING
from slipway.settings.policies import AUDIT, ENFORCE
from slipway.tools import toolchain

pytestmark = pytest.mark.policies

Object = dict[str, Any]
#: Of containers put into a running pod the command line knows nothing; the texts are those of other rules.
RULES = [rule for rule in rules(SETTINGS, ENVIRONMENT) if rule.target is not DEBUGGING]
EXEMPT = SETTINGS.exempt_namespaces
LABELS = {
    NAMESPACE: {},
    TRAINING: {STAGE_LABEL: ENFORCE},
    "sandbox": {STAGE_LABEL: AUDIT},
    "misspelt": {STAGE_LABEL: "Audit"},
    "kube-system": {},
}


def mutant(rule: Rule, number: int) -> Object:
    """Replace one expression by one that always holds."""
    checks = [Check("true", check.message) if at == number else check for at, check in enumerate(rule.checks)]
    made = policy(replace(rule, checks=tuple(checks)), ENFORCE, EXEMPT)
    return renamed(made, f"{rule.name}-mutant-{number}")


def renamed(made: Object, name: str) -> Object:
    return {**made, "metadata": {"name": name}}


def row(name: str, subject: Object, result: str, operation: str = "CREATE") -> Object:
    return {
        "policy": name,
        "isValidatingPolicy": True,
        "kind": subject["kind"],
        "resources": [f"{subject['metadata']['namespace']}/{subject['metadata']['name']}"],
        "operation": operation,
        "result": result,
    }


def rows(rule: Rule) -> Iterator[Object]:
    """Expect of each object what the rule says to it; without the one check that refuses it, it is admitted."""
    for case in CASES:
        if case.rule.name == rule.name:
            yield row(f"{rule.name}-enforce", case.object, "pass" if case.broken is None else "fail")
            if case.broken is not None:
                yield row(f"{rule.name}-mutant-{case.broken}", case.object, "pass")


def kyverno_test(folder: Path, policies: list[Object], resources: list[Object], results: list[Object]) -> list[Object]:
    """Run `kyverno test`; returns the rows of its table."""
    (folder / "policies.yaml").write_text(yaml.safe_dump_all(policies))
    (folder / "resources.yaml").write_text(yaml.safe_dump_all(resources))
    labels = [
        {"name": name, "labels": {"kubernetes.io/metadata.name": name, **labels}} for name, labels in LABELS.items()
    ]
    test = {
        "apiVersion": "cli.kyverno.io/v1alpha1",
        "kind": "Test",
        "metadata": {"name": "policies"},
        "policies": ["policies.yaml"],
        "resources": ["resources.yaml"],
        "values": {"namespaceSelector": labels},
        "results": results,
    }
    (folder / "kyverno-test.yaml").write_text(yaml.safe_dump(test))
    command = [str(toolchain.binary("kyverno-cli")), "test", str(folder), "--require-tests", "-o", "json"]
    done = subprocess.run(command, capture_output=True, text=True)
    print(done.stdout[-3000:], done.stderr[-3000:])
    start = done.stdout.index("[")
    found: list[Object] = json.loads(done.stdout[start : done.stdout.rindex("]") + 1])
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_refuses_what_breaks_it_and_each_of_its_expressions_is_needed(rule: Rule, tmp_path: Path) -> None:
    policies = [policy(rule, ENFORCE, EXEMPT), *(mutant(rule, number) for number in range(len(rule.checks)))]
    expected = list(rows(rule))
    found = kyverno_test(tmp_path, policies, [case.object for case in CASES if case.rule.name == rule.name], expected)
    assert len(found) == len(expected)
    assert [each for each in found if each["REASON"] != "Ok"] == []


#: Kubernetes itself demands them.
DEMANDED = {
    *(("apiVersion",), ("kind",), ("metadata",), ("metadata", "name"), ("metadata", "namespace"), ("spec",)),
    ("spec", "containers"),
}


def paths(node: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """List the places of everything in an object."""
    pairs = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in pairs:
        yield (*path, key)
        yield from paths(value, (*path, key))


def without(base: Object, path: tuple[str | int, ...], name: str) -> Object:
    made = copy.deepcopy(base)
    made["metadata"]["name"] = name
    node: Any = made
    for step in path[:-1]:
        node = node[step]
    del node[path[-1]]
    return made


@pytest.mark.parametrize("base", [SERVICE, LLM, POD], ids=lambda base: base["kind"])
def test_whatever_is_missing_both_evaluators_say_the_same_and_neither_fails(base: Object, tmp_path: Path) -> None:
    about = [rule for rule in RULES if rule.target.kind == base["kind"] and rule.namespace is None]
    missing = [path for path in paths(base) if path not in DEMANDED]
    objects = [without(base, path, f"without-{number}") for number, path in enumerate(missing)]
    results = []
    for made in objects:
        broken = {each.rule for each in violations(about, [made])}
        results += [row(f"{rule.name}-enforce", made, "fail" if rule.name in broken else "pass") for rule in about]
    found = kyverno_test(tmp_path, [policy(rule, ENFORCE, EXEMPT) for rule in about], objects, results)
    assert len(found) == len(results)
    assert [each for each in found if each["REASON"] != "Ok"] == []
    assert {each["result"] for each in results} == {"pass", "fail"}


TOO_MANY = {"spec.predictor.maxReplicas": 99}


def test_a_namespace_chooses_between_the_policies_and_enforces_where_it_says_nothing(tmp_path: Path) -> None:
    replicas = next(rule for rule in RULES if rule.name == "slipway-replicas")
    twins = [policy(replicas, stage, EXEMPT) for stage in (AUDIT, ENFORCE)]
    everywhere = renamed(policy(replicas, ENFORCE, EXEMPT), "everywhere")
    everywhere["spec"] = {**everywhere["spec"], "matchConstraints": {**everywhere["spec"]["matchConstraints"]}}
    del everywhere["spec"]["matchConstraints"]["namespaceSelector"]
    looked = {NAMESPACE: ENFORCE, "misspelt": ENFORCE, TRAINING: ENFORCE, "sandbox": AUDIT, "kube-system": None}
    objects = {name: changed(SERVICE, f"in-{name}", {"metadata.namespace": name, **TOO_MANY}) for name in looked}
    results = [
        row(each, objects[name], "fail")
        for name in looked
        for each in ("slipway-replicas-audit", "slipway-replicas-enforce", "everywhere")
    ]
    found = kyverno_test(tmp_path, [*twins, everywhere], list(objects.values()), results)
    wanted = [
        "Ok" if stage in (looks, "everywhere") else "Excluded"
        for looks in looked.values()
        for stage in (AUDIT, ENFORCE, "everywhere")
    ]
    assert [each["REASON"] for each in found] == wanted


def test_what_was_there_before_a_policy_may_stay_and_go(tmp_path: Path) -> None:
    replicas = next(rule for rule in RULES if rule.name == "slipway-replicas")
    always = renamed(policy(replicas, ENFORCE, EXEMPT), "always")
    always["spec"] = {key: value for key, value in always["spec"].items() if key != "matchConditions"}
    broken = changed(SERVICE, "unchanged", TOO_MANY)
    # `kyverno test` updates an object to what it was.
    verdicts = {"slipway-replicas-enforce": "skip", "always": "fail"}
    results = [row(name, broken, verdict, "UPDATE") for name, verdict in verdicts.items()]
    found = kyverno_test(tmp_path, [policy(replicas, ENFORCE, EXEMPT), always], [broken], results)
    assert [each["REASON"] for each in found] == ["Ok", "Ok"]


def test_a_rule_about_pods_holds_for_what_makes_them(tmp_path: Path) -> None:
    images = next(rule for rule in RULES if rule.name == "slipway-images")
    good = {"metadata": {"labels": {"app": "a"}}, "spec": POD["spec"]}
    container = {**POD["spec"]["containers"][0], "image": "docker.io/seldonio/mlserver:latest"}
    bad = {**good, "spec": {"containers": [container]}}
    objects = [
        makes(kind, api, f"{kind.lower()}-{name}", template)
        for kind, api in (("Deployment", "apps/v1"), ("StatefulSet", "apps/v1"), ("Job", "batch/v1"))
        for name, template in (("good", good), ("bad", bad))
    ]
    verdicts = {each["metadata"]["name"]: "pass" if "good" in each["metadata"]["name"] else "fail" for each in objects}
    results = [row("slipway-images-enforce", each, verdicts[each["metadata"]["name"]]) for each in objects]
    found = kyverno_test(tmp_path, [policy(images, ENFORCE, EXEMPT)], objects, results)
    # Each object has a row for the rule about CronJobs too, which does not look at it.
    looked = [each["RESOURCE"].rpartition("/")[2] for each in found if each["REASON"] == "Ok"]
    assert looked == list(verdicts)
    assert {each["REASON"] for each in found} == {"Ok", "Excluded"}


def makes(kind: str, api: str, name: str, template: Object) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": {"template": template}}
