"""Releases: identified by content, refused when edited. Pins: they name releases that exist."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import a_release
from hypothesis import given
from hypothesis import strategies as st

from slipway import documents
from slipway.errors import SlipwayError
from slipway.models.pins import Pin, Pins, load_pins, pinned
from slipway.models.release import Artifact, Column, Dataset, RegistryRef, Release, Releases, Signature, load_release


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_PROJECT", str(tmp_path))
    return tmp_path


def test_an_id_names_the_version_then_the_content() -> None:
    release = a_release(version=7)
    assert release.id.startswith("v7-")
    assert a_release(version=7).id == release.id
    assert a_release(version=7, metrics={"accuracy": 0.91}).id != release.id
    assert a_release(version=8).id != release.id


def test_an_id_never_changes_for_the_same_content() -> None:
    # Releases on disk must stay readable: another derivation would void every pin.
    release = Release.create(
        model="churn",
        registry=RegistryRef(registered_model="churn", version=7, run_id="1" * 32, model_id="m-" + "2" * 32),
        artifact=Artifact(uri="s3://models/churn/7", digest="sha256:" + "3" * 64, size_bytes=10, files=2),
        dataset=Dataset(name="people", digest="mlflow-weak:0a1b2c3d"),
        git_commit="4" * 40,
        signature=Signature(flavor="sklearn", mlflow_version="3.17.2", inputs=(Column(name="age", type="double"),)),
        metrics={"accuracy": 0.9},
    )
    assert release.id == "v7-017c898c78d5"


@given(st.permutations(["b", "a", "c"]))
def test_an_id_does_not_depend_on_the_order_of_metrics(names: list[str]) -> None:
    metrics = {name: float(ord(name)) for name in names}
    assert a_release(metrics=metrics).id == a_release(metrics=dict(sorted(metrics.items()))).id


def test_a_written_release_comes_back_with_the_same_bytes(project: Path) -> None:
    releases = Releases(project / "releases")
    path = releases.write(a_release())
    assert path.read_text().startswith("# Written by slipway; do not edit.\nschema_version: 1\nid: v7-")
    assert load_release(path) == a_release()
    assert documents.dump(load_release(path)) == path.read_text()
    assert Releases(project / "releases").find("churn", a_release().id) == a_release()


@pytest.mark.parametrize(
    ("old", "new"),
    [("accuracy: 0.9", "accuracy: 0.99"), ("sha256:" + "d" * 64, "sha256:" + "e" * 64), ("id: v7", "id: v8")],
)
def test_a_release_that_was_edited_is_refused(project: Path, old: str, new: str) -> None:
    path = Releases(project / "releases").write(a_release())
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(SlipwayError) as raised:
        load_release(path)
    told = str(raised.value)
    assert told.startswith(f"releases/churn/{a_release().id}.yaml: id: edited by hand: its content is v7-")
    assert told.endswith("; restore it from Git, or freeze the version again with `slipway release`")


def test_a_release_under_another_name_is_refused(project: Path) -> None:
    path = Releases(project / "releases").write(a_release())
    other = path.rename(path.with_name(f"{a_release(version=8).id}.yaml"))
    with pytest.raises(SlipwayError, match=r"expected the file's own name 'v8-.*', got 'v7-"):
        load_release(other)


def test_a_release_of_another_model_is_refused(project: Path) -> None:
    path = Releases(project / "releases").write(a_release())
    (project / "releases" / "fraud").mkdir()
    moved = path.rename(project / "releases" / "fraud" / path.name)
    with pytest.raises(SlipwayError, match=r"^releases/fraud/.*: model: expected the directory's name 'fraud', got"):
        load_release(moved)


def test_a_release_without_a_digest_is_refused(project: Path) -> None:
    path = Releases(project / "releases").write(a_release())
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(line for line in lines if "digest: sha256:0" not in line))
    with pytest.raises(SlipwayError, match=r":\d+: artifact.digest: missing; expected a text"):
        load_release(path)


def test_releases_are_read_only_when_asked_for(project: Path) -> None:
    releases = Releases(project / "releases")
    releases.write(a_release())
    (project / "releases" / "churn" / "v1-aaaaaaaaaaaa.yaml").write_text("broken: [")
    assert Releases(project / "releases").find("churn", a_release().id) == a_release()
    assert Releases(project / "releases").ids("churn") == ["v1-aaaaaaaaaaaa", a_release().id]


def _pins(project: Path, pin: Pin) -> tuple[Path, Pins]:
    path = project / "pins" / "prod.yaml"
    documents.write(path, Pins(environment="prod", models={"churn": pin}))
    return path, load_pins(path)


def test_pins_lead_to_releases(project: Path) -> None:
    releases, old, new = Releases(project / "releases"), a_release(version=7), a_release(version=8)
    releases.write(old)
    releases.write(new)
    path, pins = _pins(project, Pin(stable=old.id, candidate=new.id))
    assert pinned(path, pins, "churn", Releases(project / "releases")) == (old, new)
    path, pins = _pins(project, Pin(stable=old.id))
    assert pinned(path, pins, "churn", Releases(project / "releases")) == (old, None)


def test_an_unknown_release_is_named_with_file_line_field_and_the_nearest_ones(project: Path) -> None:
    releases = Releases(project / "releases")
    known: list[Release] = [a_release(version=version) for version in (1, 7, 9, 10)]
    for release in known:
        releases.write(release)
    path, pins = _pins(project, Pin(stable=known[1].id, candidate=f"v8-{'0' * 12}"))
    with pytest.raises(SlipwayError) as raised:
        pinned(path, pins, "churn", releases)
    assert str(raised.value) == (
        "pins/prod.yaml:7: models.churn.candidate: unknown release v8-000000000000; expected one of releases/churn/:"
        f" nearest are {known[1].id}, {known[2].id}, {known[3].id}"
    )


def test_a_model_without_any_release_is_said_to_have_none(project: Path) -> None:
    path, pins = _pins(project, Pin(stable=f"v8-{'0' * 12}"))
    with pytest.raises(SlipwayError, match=r"^pins/prod.yaml:6: models.churn.stable: unknown .*: the model has none$"):
        pinned(path, pins, "churn", Releases(project / "releases"))


def test_a_model_without_a_pin_is_named(project: Path) -> None:
    path, pins = _pins(project, Pin(stable=f"v8-{'0' * 12}"))
    with pytest.raises(SlipwayError, match=r"^pins/prod.yaml:4: models.fraud: missing; expected the stable release of"):
        pinned(path, pins, "fraud", Releases(project / "releases"))


def test_pins_of_another_environment_are_refused(project: Path) -> None:
    path, _ = _pins(project, Pin(stable=f"v8-{'0' * 12}"))
    other = path.rename(path.with_name("staging.yaml"))
    with pytest.raises(
        SlipwayError, match=r"^pins/staging.yaml:3: environment: expected the file's own name 'staging'"
    ):
        load_pins(other)


def test_a_candidate_that_is_the_stable_release_is_refused(project: Path) -> None:
    path = project / "pins" / "prod.yaml"
    path.parent.mkdir()
    one = f"v8-{'0' * 12}"
    path.write_text(f"environment: prod\nmodels:\n  churn:\n    stable: {one}\n    candidate: {one}\n")
    with pytest.raises(SlipwayError, match=r"^pins/prod.yaml:3: models.churn: expected a candidate other than the"):
        load_pins(path)


def test_a_pin_that_is_no_release_id_is_refused(project: Path) -> None:
    path = project / "pins" / "prod.yaml"
    path.parent.mkdir()
    path.write_text("environment: prod\nmodels:\n  churn:\n    stable: latest\n")
    with pytest.raises(SlipwayError, match=r"^pins/prod.yaml:4: models.churn.stable: expected a text that matches"):
        load_pins(path)
