"""The tree of files: written anew it is the same, and nothing in it is taken away but what was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from builders import a_plan, a_release, a_spec, an_environment
from hypothesis import given
from hypothesis import strategies as st

from slipway.compile import compile_model
from slipway.errors import SlipwayError
from slipway.gitops.tree import WAVE, File, delivered, files, text
from slipway.gitops.writer import compare, digest, reconcile, write

V7, V8 = a_release(version=7), a_release(version=8)
ENVIRONMENT = an_environment()
COMPILED = compile_model(a_spec(), a_plan(V7, V8), ENVIRONMENT)
HOME = "staging/models/churn"
TREE = files(delivered(COMPILED), HOME)

PATHS = st.sampled_from([f"staging/models/m/{name}.yaml" for name in "abcde"])
TEXTS = st.sampled_from(["", "one", "two"])
FILES = st.dictionaries(PATHS, st.builds(File, TEXTS, st.booleans()))


def test_a_models_objects_are_one_file_each_in_the_order_of_their_waves() -> None:
    assert sorted(path.removeprefix(f"{HOME}/") for path in TREE) == [
        "10-inferenceservice-churn-v7.yaml",
        "10-inferenceservice-churn-v8.yaml",
        "20-service-churn.yaml",
        "30-canary-churn.yaml",
    ]
    waves = {path: yaml.safe_load(it.text)["metadata"].get("annotations", {}).get(WAVE) for path, it in TREE.items()}
    assert waves[f"{HOME}/10-inferenceservice-churn-v8.yaml"] is None
    assert (waves[f"{HOME}/20-service-churn.yaml"], waves[f"{HOME}/30-canary-churn.yaml"]) == ("1", "2")


def test_what_flagger_writes_is_not_in_the_tree() -> None:
    names = {yaml.safe_load(it.text)["metadata"]["name"] for it in TREE.values()}
    assert names == {"churn-v7", "churn-v8", "churn"}


def test_what_only_pulumi_reads_is_left_out() -> None:
    assert "pulumi.com/" not in "".join(it.text for it in TREE.values())


def test_the_text_does_not_depend_on_the_order_in_which_an_object_was_made() -> None:
    backwards = dict(reversed(COMPILED.canary.items()))
    assert text(backwards) == text(COMPILED.canary)
    assert yaml.safe_load(text(COMPILED.canary)) == COMPILED.canary


def test_a_secret_is_refused() -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key", "namespace": "models"}}
    with pytest.raises(SlipwayError, match=r"^models: Secret key cannot be delivered by Git: a Secret never stands in"):
        files([secret], "models")


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(SlipwayError, match="Canary churn is there twice"):
        files([COMPILED.canary, COMPILED.canary], HOME)


@given(FILES, FILES)
def test_a_tree_becomes_what_is_wanted_but_for_what_was_written_once(first: dict, second: dict) -> None:
    old = reconcile(first, {}, {}).texts
    index = {path: digest(found) for path, found in old.items()}
    outcome = reconcile(second, index, old)
    assert outcome.texts.keys() == second.keys()
    for path, wanted in second.items():
        kept = wanted.fixed and path in old
        assert outcome.texts[path] == (old[path] if kept else wanted.text)
    assert {change.path for change in outcome.changes if change.new is None} == old.keys() - second.keys()


@given(FILES, FILES)
def test_a_tree_that_was_written_is_left_as_it_is(first: dict, second: dict) -> None:
    old = reconcile(first, {}, {}).texts
    new = reconcile(second, {path: digest(found) for path, found in old.items()}, old).texts
    assert reconcile(second, {path: digest(found) for path, found in new.items()}, new).changes == ()


@given(FILES, FILES, st.data())
def test_a_write_that_was_cut_short_is_finished_by_the_next(first: dict, second: dict, data: st.DataObject) -> None:
    disk = dict(reconcile(first, {}, {}).texts)
    index = {path: digest(found) for path, found in disk.items()}
    wanted = reconcile(second, index, disk)
    for change in data.draw(st.lists(st.sampled_from(wanted.changes)) if wanted.changes else st.just([])):
        disk.pop(change.path, None)
        if change.new is not None:
            disk[change.path] = change.new
    assert reconcile(second, index, disk).texts == wanted.texts


@given(FILES, st.dictionaries(PATHS, TEXTS))
def test_a_file_that_nobody_wrote_here_is_never_changed(wanted: dict, disk: dict) -> None:
    other = {path for path, found in disk.items() if path in wanted and wanted[path].text != found}
    if other:
        with pytest.raises(SlipwayError, match="is not in the index, so slipway did not write it"):
            reconcile(wanted, {}, disk)
    else:
        assert not [change for change in reconcile(wanted, {}, disk).changes if change.path in disk]


def test_a_file_that_was_changed_by_hand_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, compare(tmp_path, "staging", TREE))
    file = tmp_path / HOME / "30-canary-churn.yaml"
    file.write_text(file.read_text().replace("interval: 60s", "interval: 10s"))
    with pytest.raises(SlipwayError, match=r"^staging/models/churn/30-canary-churn.yaml: was changed by hand; restore"):
        compare(tmp_path, "staging", {})


def test_a_retired_version_goes_and_a_strangers_file_stays(tmp_path: Path) -> None:
    write(tmp_path, compare(tmp_path, "staging", TREE))
    (tmp_path / "staging" / "README.md").write_text("ours")
    settled = compile_model(a_spec(), a_plan(V8), ENVIRONMENT)
    outcome = compare(tmp_path, "staging", files(delivered(settled), HOME))
    gone, index = outcome.changes
    assert (gone.path, gone.what) == (f"{HOME}/10-inferenceservice-churn-v7.yaml", "remove")
    assert index.path == "staging/index.json"
    write(tmp_path, outcome)
    write(tmp_path, compare(tmp_path, "staging", {}))
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "staging",
        "staging/README.md",
        "staging/index.json",
    ]


def test_a_version_keeps_the_settings_with_which_it_was_written(tmp_path: Path) -> None:
    write(tmp_path, compare(tmp_path, "staging", TREE))
    larger = compile_model(a_spec(serving={"cpu": "2"}), a_plan(V7, V8), ENVIRONMENT)
    outcome = compare(tmp_path, "staging", files(delivered(larger), HOME))
    assert outcome.changes == ()
    assert outcome.notices[0].endswith(
        "churn-v7.yaml: its settings have changed; the file stays, the next version gets the new settings"
    )


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "prod/models/churn/x.yaml", "staging/../x.yaml"])
def test_an_index_that_leads_elsewhere_removes_nothing(tmp_path: Path, path: str) -> None:
    index = {"written_by": "slipway", "environment": "staging", "files": {path: digest("")}}
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "index.json").write_text(json.dumps(index))
    with pytest.raises(SlipwayError, match=r"index.json: .*restore it \(git checkout\)$"):
        compare(tmp_path, "staging", {})


def test_a_link_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tree" / "staging").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SlipwayError, match="leads out of"):
        compare(tmp_path / "tree", "staging", TREE)
