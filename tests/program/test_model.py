"""The component of one model."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import a_plan, a_spec, an_environment
from states import CANDIDATE, STABLE

from components.manifest import token
from components.model import Model, ModelArgs
from slipway.compile import compile_model

COMPILED = compile_model(a_spec(), a_plan(STABLE, CANDIDATE), an_environment())


def args(**changes):
    return ModelArgs(compiled=replace(COMPILED, **changes), target=CANDIDATE, url="http://churn", protect=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"inference_services": COMPILED.inference_services[:1]},
            r"model churn: churn selects .*churn-v8.*the pods",
        ),
        ({"inference_services": COMPILED.inference_services[:1] * 2}, r"expected InferenceServices of different names"),
        ({"inference_services": ()}, r"expected the pods of one of \[\]"),
    ],
)
def test_objects_that_do_not_belong_together_are_refused_before_anything_is_registered(changes, message):
    with pytest.raises(ValueError, match=message):
        Model("churn", args(**changes))


def test_the_core_group_has_a_name_in_tokens_only():
    assert token(COMPILED.target) == "kubernetes:core/v1:Service"
    assert token(COMPILED.canary) == "kubernetes:flagger.app/v1beta1:Canary"
