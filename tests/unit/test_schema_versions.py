"""Schema versions: files of earlier versions are read, those of later ones are refused in one line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from builders import a_release
from projects import CHECKOUT
from upgrade.recording import RECORDED

from slipway import documents
from slipway.errors import SlipwayError
from slipway.models.pins import load_pins
from slipway.models.release import Releases, load_release
from slipway.models.spec import load_model_spec
from slipway.settings.environment import Environment
from slipway.settings.stack_file import read_environment, stacks

RELEASE = "releases/wine-cultivar/v2-338645d47e93.yaml"


def stack_of(path: Path) -> Environment:
    return read_environment(path.parent, path.name.split(".")[1])


#: Reader by file; where the version stands.
FILES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "models/wine-cultivar.yaml": (load_model_spec, "schema_version: "),
    "pins/prod.yaml": (load_pins, "schema_version: "),
    RELEASE: (load_release, "schema_version: "),
    "Pulumi.local.yaml": (stack_of, "config:\n  slipway:schema_version: "),
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as b6f7db4 left it, with this version's defaults of settings."""
    monkeypatch.setenv("SLIPWAY_PROJECT", str(tmp_path))
    shutil.copytree(RECORDED, tmp_path, dirs_exist_ok=True)
    shutil.copy(CHECKOUT / "Pulumi.yaml", tmp_path)
    return tmp_path


def is_document(name: str) -> bool:
    return not name.startswith("Pulumi.")


def marked(file: Path, before: str, version: str) -> None:
    """Write a schema version into a file that has none."""
    text = file.read_text()
    assert "schema_version" not in text
    file.write_text(f"{before}{version}\n{text.removeprefix('config:').lstrip(chr(10))}")


@pytest.mark.parametrize("name", FILES)
def test_a_version_is_optional_and_changes_nothing(project: Path, name: str) -> None:
    (read, before), file = FILES[name], project / name
    without = read(file)
    marked(file, before, "1")
    assert read(file) == without


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        ("2", "got 2; upgrade Slipway"),
        ("0", "got 0; write 1, or remove it"),
        ("v1", "got 'v1'; write 1, or remove it"),
        ("true", "got True; write 1, or remove it"),
    ],
)
@pytest.mark.parametrize("name", FILES)
def test_another_version_is_refused_with_file_field_and_remedy(
    project: Path, name: str, version: str, problem: str
) -> None:
    (read, before), file = FILES[name], project / name
    marked(file, before, version)
    # Whatever else a later version writes is not what is wrong.
    file.write_text(file.read_text() + ("later: true\n" if is_document(name) else ""))
    with pytest.raises(SlipwayError) as caught:
        read(file)
    place = f"{name}:1: " if is_document(name) else f"{name}: slipway:"
    assert str(caught.value) == f"{place}schema_version: expected 1, which this Slipway reads, {problem}"


def test_everything_that_the_recorded_version_wrote_is_read(project: Path) -> None:
    for root in (project, project / "variants"):
        releases = sorted(root.glob("releases/*/*.yaml"))
        assert len({load_release(path).id for path in releases}) == len(releases)
        pins = [load_pins(path) for path in root.glob("pins/*.yaml")]
        for model, pin in ((model, pin) for each in pins for model, pin in each.models.items()):
            assert load_model_spec(root / "models" / f"{model}.yaml").name == model
            assert Releases(root / "releases").find(model, pin.stable)
    assert [read_environment(project, stack).name for stack in stacks(project)] == ["local", "dev", "staging", "prod"]


def test_what_the_program_writes_has_its_version_first_and_ids_are_those_of_the_content(project: Path) -> None:
    written = Releases(project / "releases").write(a_release())
    documents.write(project / "pins/prod.yaml", load_pins(project / "pins/prod.yaml"))
    for path in (written, project / "pins/prod.yaml"):
        assert path.read_text().startswith(f"{documents.HEADER}schema_version: 1\n")
    assert load_release(written).id == a_release().id
    # As b6f7db4 froze it.
    assert load_release(project / RELEASE).id == "v2-338645d47e93"


def test_a_release_that_an_earlier_version_wrote_stays_as_it_is(project: Path) -> None:
    """Releases are reviewed once and never edited: freezing the version again is no change in Git."""
    path = project / RELEASE
    before = path.read_bytes()
    release = load_release(path)
    assert Releases(project / "releases").write(release) == path
    assert path.read_bytes() == before
    # One that was edited is written again, as its message promises.
    path.write_text(path.read_text().replace("accuracy: 0.9629629629629629", "accuracy: 1.0"))
    with pytest.raises(SlipwayError, match=re.escape("freeze the version again with `slipway release`")):
        load_release(path)
    Releases(project / "releases").write(release)
    assert load_release(path) == release


def test_pulumi_hands_the_version_over_as_a_text(project: Path) -> None:
    settings = {"releases": "pinned", "cluster": {"identifier": "a"}, "prometheus_url": "http://a:9090"}
    rest = {"gateway": {"name": "a", "namespace": "a", "host_suffix": "a"}}
    rollout = {"rollout": {"strategy": "canary", "steps": [100], "interval_seconds": 10, "threshold": 1}}
    given = {**settings, **rest, **rollout}
    read = Environment.parse("a", {**given, "schema_version": "1"}, "Pulumi.a.yaml")
    assert read == Environment.parse("a", given, "Pulumi.a.yaml")
    with pytest.raises(SlipwayError, match=r"^Pulumi.a.yaml: slipway:schema_version: expected 1, .*, got '2'; upgrade"):
        Environment.parse("a", {**given, "schema_version": "2"}, "Pulumi.a.yaml")
