"""What production makes on AWS, previewed by the real engine: the account is moto's, the plugin a stand-in."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import aws_plugin
import pytest
import yaml
from aws_account import ROLE, Account, an_account
from projects import CHECKOUT, Project

from slipway.aws import rules
from slipway.engine.deploy import Deployment
from slipway.errors import SlipwayError
from slipway.tools import toolchain


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with an_account() as account:
        yield account


@pytest.fixture
def prod(tmp_path: Path) -> Path:
    """A copy of the project whose production is what stands under its cluster, nothing more."""
    project = tmp_path / "project"
    project.mkdir()
    Project(project)
    settings = yaml.safe_load((CHECKOUT / "Pulumi.prod.yaml").read_text())
    settings["config"].pop("slipway:platform")
    settings["config"]["slipway:layers"] = ["platform"]
    (project / "Pulumi.prod.yaml").write_text(yaml.safe_dump(settings))
    return project


def deployment(project: Path, **environ: str) -> Deployment:
    directory = project.parent
    (directory / "state").mkdir()
    entries = [aws_plugin.write_launcher(directory / "bin"), *toolchain.path_entries()]
    own = {
        "PATH": os.pathsep.join([*map(str, entries), os.environ["PATH"]]),
        "HOME": str(directory),
        **aws_plugin.environ(directory),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
    }
    return Deployment(project, "prod", {**own, **environ})


def test_all_of_it_is_previewed_in_the_one_account_and_region(account, prod):
    account.client("eks").create_cluster(name="slipway-prod", roleArn=ROLE, resourcesVpcConfig={})
    summary = deployment(prod, **account.environ).preview()
    notes = [json.loads(line) for line in (prod.parent / "notes").read_text().splitlines()]
    types = [each["type"] for each in notes if "type" in each]
    assert set(types) <= set(rules.RULES) | rules.HARMLESS
    assert set(summary.changes) == {"create"}
    # Besides them the stack, the providers of two clouds, our own components.
    assert summary.changes["create"] > len(types) > 60
    (asked,) = [each["provider"] for each in notes if "provider" in each]
    assert asked["aws:config:region"] == "eu-central-1"
    assert json.loads(asked["aws:config:allowedAccountIds"]) == ["123456789012"]


def test_without_credentials_there_is_one_sentence(prod, monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with pytest.raises(SlipwayError) as told:
        deployment(prod).preview()
    assert str(told.value) == (
        "Pulumi.prod.yaml: slipway:cluster.eks: no AWS credentials;"
        " sign in (`aws sso login`), or set AWS_PROFILE or AWS_ACCESS_KEY_ID"
    )
    assert not (prod.parent / "notes").exists()
