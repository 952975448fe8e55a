"""The tree digest: names matter, order does not, odd trees are refused."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slipway.errors import SlipwayError
from slipway.models.digest import HashedFile, check_paths, hashed, local_tree, tree

contents = st.dictionaries(
    st.from_regex(r"[a-z]{1,3}(/[a-z]{1,3})?\.x", fullmatch=True), st.binary(max_size=4), min_size=1
)


def digest(files: dict[str, bytes]) -> str:
    return tree(
        "t", [HashedFile(path, hashlib.sha256(data).hexdigest(), len(data)) for path, data in files.items()]
    ).digest


def test_the_digest_is_the_one_that_others_can_compute() -> None:
    x, y = (hashlib.sha256(content).hexdigest() for content in (b"x", b"y"))
    rows = f'[["MLmodel","sha256","{x}"],["a/b","sha256","{y}"]]'
    assert digest({"a/b": b"y", "MLmodel": b"x"}) == f"sha256:{hashlib.sha256(rows.encode()).hexdigest()}"


@given(contents, st.randoms())
def test_the_order_of_a_listing_does_not_matter(files: dict[str, bytes], random: object) -> None:
    shuffled = list(files.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert digest(dict(shuffled)) == digest(files)


@given(contents, contents)
def test_different_trees_have_different_digests(one: dict[str, bytes], other: dict[str, bytes]) -> None:
    assume(one != other)
    assert digest(one) != digest(other)


@given(contents, st.data())
def test_renaming_a_file_changes_the_digest(files: dict[str, bytes], data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(files)))
    renamed = {name if name != path else "renamed": content for name, content in files.items()}
    assert digest(renamed) != digest(files)


def test_swapping_two_files_changes_the_digest() -> None:
    assert digest({"a": b"1", "b": b"2"}) != digest({"a": b"2", "b": b"1"})


def test_only_the_signature_with_what_downloads_add_is_left_out() -> None:
    plain = {"MLmodel": b"x"}
    assert digest({**plain, "model.sig": b"s", "registered_model_meta": b"m"}) == digest(plain)
    for seen in ("data/model.sig", ".git/config", ".hidden"):
        assert digest({**plain, seen: b"s"}) != digest(plain)


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "t: empty artifact tree; expected at least one file"),
        (["model.sig"], "t: empty artifact tree; expected at least one file"),
        (["/etc/passwd"], "t: '/etc/passwd': an absolute path"),
        (["a/../../b"], "t: 'a/../../b': a path with an empty, '.' or '..' part"),
        (["a//b"], "t: 'a//b': a path with an empty"),
        (["./a"], "t: './a': a path with an empty"),
        (["a/"], "t: 'a/': a path with an empty"),
        (["model", "Model"], "t: 'model': differs from Model only in case"),
        (["data/a", "Data/b"], "t: 'data/a': differs from Data only in case"),
        (["e\u0301", "\u00e9"], "t: 'é': differs from e\u0301 only in case"),
        (["a", "a"], "t: 'a': listed twice"),
        (["a", "a/b"], "t: 'a/b': needs a folder where a is a file"),
    ],
)
def test_a_tree_that_is_not_the_same_everywhere_is_refused(paths: list[str], message: str) -> None:
    with pytest.raises(SlipwayError) as raised:
        check_paths("t", paths)
    assert str(raised.value).startswith(message)


def test_a_directory_has_the_digest_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "sub" / "empty").mkdir(parents=True)
    (tmp_path / "MLmodel").write_bytes(b"x")
    (tmp_path / "sub" / "weights").write_bytes(b"yy")
    found = local_tree(tmp_path)
    assert found.digest == digest({"MLmodel": b"x", "sub/weights": b"yy"})
    assert (found.files, found.size_bytes) == (2, 3)


def test_files_are_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("slipway.models.digest.CHUNK", 3)
    (tmp_path / "a").write_bytes(b"0123456789")
    assert hashed("a", tmp_path / "a") == HashedFile("a", hashlib.sha256(b"0123456789").hexdigest(), 10)


@pytest.mark.parametrize("target", ["inside", "/etc/passwd", "nowhere", "."])
def test_a_symlink_is_refused_wherever_it_leads(tmp_path: Path, target: str) -> None:
    (tmp_path / "inside").write_bytes(b"x")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(SlipwayError, match=f"^{tmp_path}: 'link': a symbolic link; expected regular files"):
        local_tree(tmp_path)


def test_a_directory_that_is_a_symlink_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    with pytest.raises(SlipwayError, match="a symbolic link"):
        local_tree(tmp_path / "link")


def test_what_is_no_regular_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with pytest.raises(SlipwayError, match="'pipe': not a regular file"):
        local_tree(tmp_path)
    os.unlink("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(SlipwayError, match="'socket': not a regular file"):
            local_tree(tmp_path)


def test_an_empty_or_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match="empty artifact tree"):
        local_tree(tmp_path)
    with pytest.raises(SlipwayError, match=r"missing: cannot be read \(No such file or directory: "):
        local_tree(tmp_path / "missing")
