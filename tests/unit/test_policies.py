"""The rules, held against objects before any cluster sees them; Kyverno's own verdicts are in tests/policies."""

from __future__ import annotations

from typing import Any

import pytest
from builders import a_plan, a_release, a_spec, an_environment
from policy_cases import CASES, ENVIRONMENT, POD, SERVICE, SETTINGS, URI, Case, changed
from projects import CHECKOUT

from slipway.compile import compile_model
from slipway.compile.llm import compile_llm
from slipway.platform import pods as platform_pods
from slipway.policy import preview
from slipway.policy import stages as namespaces
from slipway.policy.__main__ import files
from slipway.policy.check import holds, violations
from slipway.policy.kyverno import policies
from slipway.policy.rules import rules
from slipway.policy.stages import STAGE_LABEL
from slipway.settings.policies import AUDIT, ENFORCE, PoliciesSettings
from slipway.settings.stack_file import read_environment

RULES = rules(SETTINGS, ENVIRONMENT)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.object["metadata"]["name"])
def test_a_rule_says_of_an_object_what_it_should(case: Case) -> None:
    broken = [number for number, check in enumerate(case.rule.checks) if not holds(check.expression, case.object)]
    assert broken == ([] if case.broken is None else [case.broken])


def test_every_expression_has_an_object_that_nothing_else_refuses() -> None:
    checks = {check for rule in RULES for check in rule.checks}
    assert checks == {case.rule.checks[case.broken] for case in CASES if case.broken is not None}


def test_what_is_compiled_breaks_no_rule() -> None:
    release = a_release(uri=URI)
    serving = {"gpus": 8, "business_case": "fraud, agreed with risk", "env": {"OMP_NUM_THREADS": "2"}}
    compiled = compile_model(a_spec(serving=serving), a_plan(release), ENVIRONMENT)
    llm = compile_llm(a_spec(serving=serving, llm={}), a_plan(release), ENVIRONMENT)
    assert list(violations(RULES, (*compiled.inference_services, *llm.inference_services))) == []


def test_the_policies_that_people_review_are_those_that_are_installed() -> None:
    written = {file.name: file.read_text() for file in (CHECKOUT / "policies").glob("*.yaml")}
    assert written == files(CHECKOUT), "run `make docs`"


def test_a_rule_of_one_namespace_leaves_others_alone() -> None:
    pod = changed(POD, "pod", {"metadata.namespace": "training"})
    assert [each.rule for each in violations(RULES, [POD, pod])] == ["slipway-spot-training"] * 2


def test_what_cannot_be_evaluated_does_not_hold() -> None:
    assert not holds("object.spec.nothing == 1", SERVICE)


def test_of_two_policies_one_refuses_wherever_the_other_does_not_audit() -> None:
    audits, refuses = policies(RULES[:1], ("kube-system",))
    assert (audits["spec"]["validationActions"], refuses["spec"]["validationActions"]) == (["Audit", "Warn"], ["Deny"])
    assert (audits["spec"]["failurePolicy"], refuses["spec"]["failurePolicy"]) == ("Ignore", "Fail")
    stages = [
        each["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"][0] for each in (audits, refuses)
    ]
    assert stages == [
        {"key": STAGE_LABEL, "operator": "In", "values": ["audit"]},
        # Holds for a namespace without the label too.
        {"key": STAGE_LABEL, "operator": "NotIn", "values": ["audit"]},
    ]
    assert audits["spec"]["validations"] == refuses["spec"]["validations"]


def test_no_expression_of_a_pod_is_broken_by_the_way_kyverno_derives_one_for_deployments() -> None:
    # It replaces text: `object.spec`, `object.metadata`, in messages too (kyverno pkg/cel/autogen/replacement.go).
    for rule in RULES:
        for check in rule.checks:
            assert "object.?" not in check.expression
            assert "object." not in check.message


def environment(stage: str, **settings: Any) -> Any:
    return an_environment("prod", platform={"network": {"stage": stage}, "policies": settings})


def test_a_preview_refuses_what_the_cluster_would_refuse() -> None:
    notices, problems = preview.violations(
        environment(ENFORCE), [changed(SERVICE, "churn-v7", {"spec.predictor.maxReplicas": 21})], ()
    )
    assert notices == []
    assert [str(each) for each in problems] == [
        "InferenceService churn-v7: spec.predictor.maxReplicas: expected at most 20, said openly; set"
        " serving.replicas.max (policy slipway-replicas)"
    ]


def test_where_policies_audit_a_preview_only_says_so() -> None:
    notices, problems = preview.violations(
        environment(AUDIT), [changed(SERVICE, "churn-v7", {"spec.predictor.maxReplicas": 21})], ()
    )
    assert problems == []
    assert [each.endswith("(policy slipway-replicas); audited, not refused") for each in notices] == [True]


def test_what_runs_already_is_not_refused() -> None:
    broken = changed(SERVICE, "churn-v7", {"spec.predictor.maxReplicas": 21})
    notices, problems = preview.violations(environment(ENFORCE), [broken], {"churn-v7"})
    assert (len(notices), problems) == (1, [])


def test_an_environment_sets_its_own_bounds() -> None:
    broken = changed(SERVICE, "churn-v7", {"spec.predictor.maxReplicas": 21})
    assert preview.violations(environment(ENFORCE, max_replicas=30), [broken], ()) == ([], [])


def runtime(**changes: Any) -> dict[str, Any]:
    container = {**POD["spec"]["containers"][0], "image": "docker.io/seldonio/mlserver:1.7.1", **changes}
    return {"kind": "ClusterServingRuntime", "metadata": {"name": "mlserver"}, "spec": {"containers": [container]}}


def workload(kind: str, namespace: str) -> dict[str, Any]:
    pod = {"spec": {"containers": [{"name": "server", "image": "evil/x:1"}]}}
    spec = {"jobTemplate": {"spec": {"template": pod}}} if kind == "CronJob" else {"template": pod}
    return {"kind": kind, "metadata": {"name": "own", "namespace": namespace}, "spec": spec}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (runtime(), []),
        (
            runtime(image="docker.io/other/mlserver:1"),
            ["Pod of ClusterServingRuntime mlserver: spec.containers"],
        ),
        (workload("Deployment", "kserve"), []),
        (
            workload("CronJob", "models"),
            [
                "Pod of CronJob own: spec.containers: expected images",
                "Pod of CronJob own: spec.containers: expected securityContext",
            ],
        ),
    ],
    ids=["the runtime", "a runtime from elsewhere", "a system", "a workload beside the models"],
)
def test_a_preview_refuses_pods_of_the_platform_where_policies_enforce(made: dict[str, Any], said: list[str]) -> None:
    audits = {"kind": "Namespace", "metadata": {"name": "kserve"}}
    found = platform_pods.violations(environment(ENFORCE), [namespaces.namespace("models", ENFORCE), audits, made])
    assert [str(each)[: len(start)] for each, start in zip(found, said, strict=True)] == said
    assert platform_pods.violations(environment(AUDIT), [namespaces.namespace("models", AUDIT), audits, made]) == []


def test_without_policies_nothing_is_said() -> None:
    broken = changed(SERVICE, "churn-v7", {"spec.predictor.model": {}})
    assert preview.violations(an_environment("prod"), [broken], ()) == ([], [])


def test_an_environment_without_namespaces_of_its_own_is_taken_strictly() -> None:
    assert namespaces.stage(an_environment("prod", platform={"policies": {}})) == ENFORCE


def test_a_namespace_that_says_nothing_is_audited_when_it_is_installed() -> None:
    said = namespaces.namespace("models", ENFORCE)
    assert namespaces.audited(said) == said
    silent = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kserve", "labels": {"a": "b"}}}
    assert namespaces.audited(silent)["metadata"]["labels"] == {"a": "b", STAGE_LABEL: AUDIT}
    assert namespaces.audited(POD) == POD


def test_an_environment_on_aws_may_load_from_its_own_bucket_and_registry() -> None:
    own = read_environment(CHECKOUT, "prod")
    storage, pods = (
        next(rule for rule in rules(SETTINGS, own) if rule.name == name)
        for name in ("slipway-pinned-storage", "slipway-images")
    )
    uri = URI.replace("mlflow", "slipway-prod-mlflow-123456789012-eu-central-1", 1)
    image = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/mlserver@sha256:{'a' * 64}"
    assert holds(storage.checks[0].expression, changed(SERVICE, "m", {"spec.predictor.model.storageUri": uri}))
    assert holds(pods.checks[0].expression, changed(POD, "p", {"spec.containers.0.image": image}))


def test_names_in_settings_are_taken_as_they_are() -> None:
    # A dot stands for a dot: no other registry, no other bucket.
    rule = rules(PoliciesSettings(buckets=("ml.flow",)), ENVIRONMENT)[1]
    uris = {
        uri: changed(SERVICE, "m", {"spec.predictor.model.storageUri": uri})
        for uri in (URI.replace("mlflow", "mlxflow"), URI.replace("mlflow", "ml.flow"))
    }
    assert [holds(rule.checks[0].expression, each) for each in uris.values()] == [False, True]
