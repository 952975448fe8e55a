"""The upgrade test itself: what it lets through."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from upgrade.comparing import CREATED, Difference, Expected, changes, compare, complaints
from upgrade.recording import MODELS, WHOLE, load

RECORDED = {**load(MODELS), **load(WHOLE)}
EVERYTHING = Expected(("case",), "*", "*", "any")


def changed(case: str, urn: str, path: str, value: Any) -> list[Difference]:
    """Compare a recorded case with itself, but for one value."""
    before = RECORDED[case]
    (full,) = [each for each in before if each.endswith(urn)]
    after = {**before, full: deepcopy(before[full])}
    *above, last = path.split("/")
    place = after[full]
    for key in above:
        place = place[int(key)] if isinstance(place, list) else place[key]
    place[last] = value
    return compare(before, after)


HARMFUL = [
    ("restart", "local-models", ":InferenceService::wine-cultivar-v2", "inputs/spec/predictor/minReplicas", 2),
    ("restart", "local-models", ":InferenceService::wine-cultivar-v2", "inputs/metadata/annotations/x", "y"),
    ("restart", "variants", ":LLMInferenceService::assistant-v7", "inputs/spec/replicas", 3),
    ("rollout", "local-models", ":Service::wine-cultivar", "inputs/spec/selector", {"app": "another"}),
    ("rollout", "local-models", ":Canary::wine-cultivar", "inputs/spec/targetRef/name", "another"),
    ("replacement", "local-models", ":Canary::wine-cultivar", "inputs/metadata/name", "another"),
    ("replacement", "local-models", ":providers:kubernetes::local", "inputs/clusterIdentifier", "another"),
    ("replacement", "local-models", ":Canary::wine-cultivar", "parent", "another"),
    ("replacement", "prod", "/cluster:Cluster::slipway-prod", "inputs/name", "another"),
    ("replacement", "prod", ":ConfigMap::monitoring/prometheus", "inputs/data/prometheus.yaml", "another"),
    ("restart", "prod", ":ConfigMap::kserve/inferenceservice-config", "inputs/data/deploy", "another"),
    ("restart", "prod", ":ClusterServingRuntime::kserve-mlserver", "inputs/spec/containers/0/image", "another"),
    ("restart", "prod", ":Deployment::slipway/slipway-judge", "inputs/spec/template/spec/hostNetwork", True),
    ("restart", "prod", ":Deployment::slipway/slipway-judge", "inputs/spec/template", {}),
    ("replacement", "prod", ":Deployment::slipway/slipway-judge", "inputs/spec/selector", {}),
]


@pytest.mark.parametrize(("harm", "case", "urn", "path", "value"), HARMFUL)
def test_harm_is_refused_even_where_it_is_listed(harm: str, case: str, urn: str, path: str, value: Any) -> None:
    found = changed(case, urn, path, value)
    assert {each.harm for each in found} == {harm}
    assert complaints("case", found, [EVERYTHING]) == [str(each) for each in found]


def test_a_resource_that_is_gone_is_refused_even_where_it_is_listed() -> None:
    before = RECORDED["local-models"]
    for urn in before:
        found = compare(before, {name: each for name, each in before.items() if name != urn})
        assert complaints("case", found, [EVERYTHING]) == [f"DELETION: {urn}: (deleted)"]


def test_another_version_of_a_model_is_refused_even_where_it_is_listed() -> None:
    before = RECORDED["local-models"]
    (urn,) = [each for each in before if each.endswith(":InferenceService::wine-cultivar-v2")]
    more = urn.replace("-v2", "-v3")
    found = compare(before, {**before, more: before[urn]})
    assert complaints("case", found, [EVERYTHING]) == [f"ROLLOUT: {more}: (created)"]


HARMLESS = [
    ("local-models", ":Canary::wine-cultivar", "inputs/spec/analysis/threshold", 7, "spec/analysis/threshold"),
    ("local-models", ":Canary::wine-cultivar", "options/protect", True, "(options)/protect"),
    ("local-models", ":Canary::wine-cultivar", "dependencies", [], "(dependencies)"),
    ("prod", "/cluster:Cluster::slipway-prod", "inputs/tags", {"a": "b"}, "tags*"),
]


@pytest.mark.parametrize(("case", "urn", "path", "value", "field"), HARMLESS)
def test_what_does_no_harm_passes_where_it_is_listed_and_nowhere_else(
    case: str, urn: str, path: str, value: Any, field: str
) -> None:
    found = changed(case, urn, path, value)
    assert found
    assert complaints("case", found, [Expected(("case",), f"*{urn}", field, "reviewed")]) == []
    assert len(complaints("another", found, [EVERYTHING])) == len(found)
    assert len(complaints("case", found, [Expected(("case",), f"*{urn}", "spec/another", "")])) == len(found) + 1


def test_what_is_listed_must_occur() -> None:
    (said,) = complaints("case", [], [Expected(("case",), "*:Canary::churn", CREATED, "reviewed")])
    assert said == "in differences.yaml, but it no longer occurs in case: *:Canary::churn: (created)"


def test_a_text_that_holds_yaml_is_looked_into() -> None:
    old = {
        "rules.yaml": "groups:\n- name: models\n  rules:\n  - {alert: Down, do: look}\n  - {alert: Slow, do: wait}\n"
    }
    new = {"rules.yaml": old["rules.yaml"].replace("wait", "scale")}
    assert list(changes(old, new)) == [("rules.yaml/groups/models/rules/Slow/do", "wait", "scale")]
    # The same content in other bytes is a difference, too.
    assert [field for field, *_ in changes(old, {"rules.yaml": old["rules.yaml"] + "\n"})] == ["rules.yaml"]
    assert list(changes({"a": [1, 2]}, {"a": [1]})) == [("a", [1, 2], [1])]
    assert list(changes({"a": 1}, {"a": True})) == [("a", 1, True)]
