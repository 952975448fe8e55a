"""Bad input: one line that names file and field, a status that is not zero, nothing registered."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import a_release
from projects import Project
from states import STABLE

from slipway.models.pins import Pin
from stacks.environment import TOLD


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def edit_release(project: Project) -> None:
    replace(project.root / f"releases/churn/{STABLE.id}.yaml", "c" * 40, "b" * 40)


def pin_unknown_release(project: Project) -> None:
    project.pins("staging", churn=Pin(stable="v9-000000000000"))


def pin_unknown_model(project: Project) -> None:
    project.pins("staging", churm=Pin(stable=STABLE.id))


def break_yaml(project: Project) -> None:
    (project.root / "models/churn.yaml").write_text("name: churn\nowner: [growth\n")


def misspell(project: Project) -> None:
    replace(project.root / "models/churn.yaml", "rollout:", "rolout:")


def step_down(project: Project) -> None:
    project.spec("churn", rollout={"requests_per_second": 20, "steps": (10, 50, 25)})


def clash(project: Project) -> None:
    other = a_release("churn-primary", 1)
    project.spec("churn-primary")
    project.releases([other])
    project.pins("staging", churn=Pin(stable=STABLE.id), churn_primary=Pin(stable=other.id))


def lengthen(project: Project) -> None:
    long = a_release("a-name-that-is-much-too-long-for-labels-of-kserve", 1)
    project.spec(long.model)
    project.releases([long])
    project.pins("staging", **{"churn": Pin(stable=STABLE.id), long.model: Pin(stable=long.id)})


def misname_setting(project: Project) -> None:
    replace(project.root / "Pulumi.staging.yaml", "host_suffix", "host_sufix")


def invent_setting(project: Project) -> None:
    replace(project.root / "Pulumi.staging.yaml", "slipway:releases", "slipway:namespce: x\n  slipway:releases")


def break_a_policy(project: Project) -> None:
    # What the cluster is held to, on a stack that does not install it. The release is at no logged model's address.
    policed = "slipway:layers: [metrics, models]\n  slipway:platform: {policies: {}}\n  slipway:releases"
    replace(project.root / "Pulumi.staging.yaml", "slipway:releases", policed)


CASES: list[tuple[Callable[[Project], None], str]] = [
    (edit_release, r"releases/churn/v7-[0-9a-f]{12}\.yaml: id: edited by hand: .*restore it from Git"),
    (pin_unknown_release, r"pins/staging\.yaml:\d+: models\.churn\.stable: unknown release v9-0{12}.*nearest are v7-"),
    (pin_unknown_model, r"pins/staging\.yaml:\d+: models\.churm: there is no models/churm\.yaml; nearest is 'churn'"),
    (break_yaml, r"models/churn\.yaml:\d+: malformed YAML"),
    (misspell, r"models/churn\.yaml:\d+: rolout: unknown key; nearest valid key is 'rollout'"),
    (step_down, r"models/churn\.yaml: rollout\.steps: 10, 50, 25: .*strictly increase; write 10, 25, 50"),
    (clash, r"models/churn-primary\.yaml: name: clashes with models/churn\.yaml.*rename"),
    (lengthen, r"models/a-name-that.*\.yaml: name: InferenceService .* has \d+ characters.*shorten the name by"),
    (
        break_a_policy,
        r"InferenceService churn-v7: spec\.predictor\.model\.storageUri: expected .*\(policy slipway-pinned-storage\)",
    ),
    (misname_setting, r"Pulumi\.staging\.yaml: slipway:gateway\..*host_suffi"),
    (invent_setting, r"Pulumi\.staging\.yaml: slipway:namespce: unknown key; nearest valid key is 'namespace'"),
]


@pytest.mark.parametrize(("spoil", "line"), CASES, ids=[spoil.__name__ for spoil, _ in CASES])
@pytest.mark.parametrize("preview", [True, False], ids=["preview", "up"])
def test_bad_input_is_told_in_one_line_before_anything_is_registered(project, run, spoil, line, preview):
    project.pinned(STABLE)
    spoil(project)
    ran = run(preview=preview, observed={})
    (said,) = ran.said["error"]
    assert re.search(line, said), said
    assert "\n" not in said
    assert ran.exit_status == TOLD
    assert [one.type for one in ran.engine.registered] == ["pulumi:pulumi:Stack"]


def test_every_impossible_plan_is_told_by_name(project, run):
    first, second = a_release("churn", 7), a_release("fraud", 3)
    for release in (first, second):
        project.spec(release.model, rollout={"requests_per_second": 20, "steps": (50, 10)})
    project.releases([first, second])
    project.pins("staging", churn=Pin(stable=first.id), fraud=Pin(stable=second.id))
    ran = run(observed={})
    assert [said.partition(":")[0] for said in ran.said["error"]] == ["models/churn.yaml", "models/fraud.yaml"]


def test_a_registry_that_is_away_is_told_in_seconds(project, run):
    project.spec("churn")
    ran = run("local", settings={"registry": {"tracking_uri": "http://127.0.0.1:1"}}, observed={})
    (said,) = ran.said["error"]
    assert "http://127.0.0.1:1" in said
    assert ran.exit_status == TOLD


def test_a_secret_setting_is_refused_before_it_gets_into_the_state(project, run, monkeypatch):
    monkeypatch.setattr("stacks.settings.is_config_secret", lambda key: key == "slipway:registry")
    ran = run()
    assert ran.exit_status == 32
    (said,) = ran.said["error"]
    assert said.startswith("Pulumi.staging.yaml: slipway:registry: encrypted;")
    assert [one.type for one in ran.engine.registered] == ["pulumi:pulumi:Stack"]
