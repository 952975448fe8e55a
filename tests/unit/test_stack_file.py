"""Settings read without Pulumi."""

from __future__ import annotations

import pytest
import yaml
from projects import CHECKOUT

from slipway.errors import SlipwayError
from slipway.policy.stages import stage
from slipway.settings.stack_file import read_environment


@pytest.mark.parametrize("stack", ["local", "dev", "staging", "prod"])
def test_every_stack_of_the_checkout_can_be_read(stack):
    environment = read_environment(CHECKOUT, stack)
    assert environment.name == stack
    assert environment.namespace == "models"


def test_only_local_and_dev_follow_an_alias_and_leave_canaries_unprotected():
    environments = [read_environment(CHECKOUT, stack) for stack in ("local", "dev", "staging", "prod")]
    assert [environment.releases for environment in environments] == ["follow", "follow", "pinned", "pinned"]
    assert [environment.protect for environment in environments] == [False, False, True, True]


def test_every_setting_of_an_environment_is_described_in_the_projects_schema():
    from slipway.settings.environment import Environment

    schema = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())["config"]
    ours = {key.removeprefix("slipway:") for key in schema if key.startswith("slipway:")}
    assert ours == set(Environment.model_fields) - {"name"}
    assert all(entry["description"] for key, entry in schema.items() if key.startswith("slipway:"))


def test_an_unknown_stack_is_told_with_those_there_are(tmp_path):
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    with pytest.raises(SlipwayError, match=r"Pulumi\.qa\.yaml: no such file; the stacks of this project are dev"):
        read_environment(tmp_path, "qa")


def test_a_malformed_stack_file_is_told_in_one_line(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: [\n")
    with pytest.raises(SlipwayError, match=r"Pulumi\.dev\.yaml: cannot be read"):
        read_environment(tmp_path, "dev")


def test_a_setting_that_nobody_reads_is_refused(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config:\n  slipwya:releases: follow\n")
    with pytest.raises(SlipwayError, match=r"slipwya:releases: nothing reads it; expected slipway:releases"):
        read_environment(tmp_path, "dev")


@pytest.mark.parametrize("value", ["{secure: v1:abc}", "{tracking_uri: {secure: v1:abc}}", "[{secure: v1:abc}]"])
def test_a_secret_is_no_setting(tmp_path, value):
    (tmp_path / "Pulumi.yaml").write_text("config: {}\n")
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config:\n  slipway:registry: {value}\n")
    with pytest.raises(
        SlipwayError, match=r"slipway:registry: encrypted; keep the secret in the cluster's secret store"
    ):
        read_environment(tmp_path, "dev")


def installed(environment):
    return {name for name in type(environment.platform).model_fields if getattr(environment.platform, name)}


def test_every_environment_is_at_least_as_strict_as_the_one_before():
    dev, staging, prod = (read_environment(CHECKOUT, stack) for stack in ("dev", "staging", "prod"))
    for before, after in ((dev, staging), (staging, prod)):
        assert installed(before) <= installed(after)
        assert before.protect <= after.protect
        assert (before.releases, after.releases) != ("pinned", "follow")
        assert (before.rollout.strategy, after.rollout.strategy) != ("canary", "immediate")
        assert before.rollout.interval_seconds <= after.rollout.interval_seconds
        assert min(before.rollout.steps) >= min(after.rollout.steps)
        assert bool(before.judge_url) <= bool(after.judge_url)
        assert [stage(each) for each in (before, after)] != ["enforce", "audit"]
