"""What is said about settings comes from their types."""

from __future__ import annotations

import json
from typing import Literal

import pytest
import yaml
from projects import CHECKOUT
from pydantic import Field, ValidationError
from typer.testing import CliRunner

from slipway import documents, schema
from slipway.cli.root import app
from slipway.documents import Frozen
from slipway.errors import SlipwayError
from slipway.settings import reference
from slipway.settings.environment import Environment
from slipway.settings.stack_file import read_environment, stacks


class Leaf(Frozen):
    """A leaf. It has more to say."""

    size: int = Field(1, description="Its size.")
    name: str = ""


class Other(Frozen):
    """Another."""

    colour: Literal["red", "green"] = "red"


class Tree(Frozen):
    """All the ways in which a model stands below another."""

    maybe: Leaf | None = None
    many: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = Field(default_factory=dict)
    either: Leaf | Other | None = None
    deep: dict[str, tuple[Leaf, ...]] | None = None


def test_every_setting_says_what_it_means():
    silent = [each.key for each in reference.settings() if not each.meaning]
    assert not silent, f"give these Field(description=…): {silent}"


def test_what_a_setting_means_is_one_line():
    long = [each.key for each in reference.settings() if "\n" in each.meaning]
    assert not long


def test_the_page_of_the_environments_is_what_their_files_say():
    environments = {name: read_environment(CHECKOUT, name) for name in stacks(CHECKOUT)}
    written = (CHECKOUT / "docs" / "environments.md").read_text()
    assert written == reference.page(environments), "run `make docs`, look at what differs now"


def test_pulumis_schema_says_the_same_of_each_setting():
    schema_file = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())["config"]
    for each in reference.settings():
        if "." not in each.key:
            entry = schema_file[f"slipway:{each.key}"]
            assert entry["description"] == each.meaning
            given = entry.get("default", reference.REQUIRED)
            # Pulumi has no default that is nothing: an empty text stands for it.
            assert (given or None) == (each.default or None), each.key


def test_every_key_at_any_depth_is_listed():
    assert [key for key, _ in schema.fields(Tree)] == [
        *["maybe", "maybe.size", "maybe.name", "many", "many[].size", "many[].name"],
        *["named", "named.<name>.size", "named.<name>.name"],
        *["either", "either.size", "either.name", "either.colour"],
        *["deep", "deep.<name>[].size", "deep.<name>[].name"],
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"maybe": {"sise": 2}}, "maybe.sise: unknown key; nearest valid key is 'size'"),
        ({"many": ({}, {"sise": 2})}, "many[1].sise: unknown key; nearest valid key is 'size'"),
        # The key of a mapping that is called like a field is still a key.
        ({"named": {"name": {"sise": 2}}}, "named.name.sise: unknown key; nearest valid key is 'size'"),
        ({"deep": {"a": ({"sise": 2},)}}, "deep.a[0].sise: unknown key; nearest valid key is 'size'"),
        ({"maybe": {"colour": "red"}}, "maybe.colour: unknown key; it belongs to either.colour"),
        ({"maybe": {"xyz": 1}}, "maybe.xyz: unknown key; valid keys are 'size', 'name'"),
    ],
)
def test_a_wrong_key_at_any_depth_is_told_with_the_one_that_was_meant(content, said):
    with pytest.raises(ValidationError) as raised:
        Tree.model_validate(content)
    first = documents.problems(raised.value)[0]
    assert f"{documents.dotted(first['loc'])}: {documents.explain(first, Tree)}" == said


def test_a_key_of_a_component_is_refused_with_the_nearest(tmp_path):
    settings = {key.removeprefix("slipway:"): value for key, value in _settings("staging").items()}
    with pytest.raises(SlipwayError, match=r"slipway:platform\.flagger\.replcas: unknown key; nearest .* 'replicas'"):
        Environment.parse("staging", {**settings, "platform": {"flagger": {"replcas": 2}}}, "Pulumi.staging.yaml")


def test_explain_prints_each_setting_with_its_default_and_its_meaning():
    shown = CliRunner().invoke(app, ["config", "explain", "rollout", "--stack", "prod", "--json"])
    rows = {row["setting"]: row for row in json.loads(shown.stdout)}
    assert list(rows) == [
        "rollout",
        *("rollout.strategy", "rollout.steps", "rollout.interval_seconds", "rollout.threshold"),
    ]
    assert rows["rollout.steps"] == {
        "setting": "rollout.steps",
        "may be": "a list of: a whole number",
        "default": "required",
        "prod": [1, 5, 25, 100],
        "meaning": "Percent of the traffic at each step, for models that name none.",
    }
    with pytest.raises(SlipwayError, match="rolout: no such setting; nearest is rollout"):
        reference.explain("rolout")


def test_explain_says_the_bounds_of_a_number():
    (found,) = reference.explain("rollout.interval_seconds")
    assert found.values == "a whole number, at least 10"


def test_only_what_differs_is_compared():
    shown = CliRunner().invoke(app, ["config", "compare", "staging", "prod", "--json"])
    rows = json.loads(shown.stdout)
    assert rows["rollout.interval_seconds"] == {"staging": 60, "prod": 300}
    assert "rollout.strategy" not in rows


def test_what_stands_in_a_part_is_compared_between_those_that_have_it():
    settings = {key.removeprefix("slipway:"): value for key, value in _settings("prod").items()}
    with_it, without = (
        Environment.parse("prod", {**settings, "platform": platform}, "") for platform in ({"flagger": {}}, {})
    )
    rows = reference.compare({"a": with_it, "b": without})
    assert rows["platform.flagger"] == {"a": "yes", "b": None}
    assert rows["platform.flagger.replicas"] == {"a": 1}
    assert not reference.differs(rows["platform.flagger.replicas"])


def _settings(stack):
    settings = yaml.safe_load((CHECKOUT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {"slipway:service_account": "model-reader", **settings}
