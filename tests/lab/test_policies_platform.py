"""What every environment installs, before its own policies."""

from __future__ import annotations

import pytest
from projects import CHECKOUT

from slipway.platform import pods
from slipway.platform.compiling import compile_all, context_of
from slipway.settings.checkout import Checkout
from slipway.settings.stack_file import read_environment, stacks


@pytest.mark.parametrize("stack", [stack for stack in stacks(CHECKOUT) if stack != "local"])
def test_no_pod_of_the_platform_is_refused_by_the_policies_that_come_with_it(stack: str) -> None:
    environment = read_environment(CHECKOUT, stack)
    compiled = compile_all(context_of(environment, Checkout(CHECKOUT)))
    objects = [each for component in compiled.values() for each in component]
    assert {each["kind"] for each in objects} >= {"ClusterServingRuntime", "Deployment", "Namespace"}
    assert [str(each) for each in pods.violations(environment, objects)] == []
