"""What is written down about rollouts: pins, ledger, incidents, in steps that may be the last."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import a_release, a_spec, an_environment
from records import a_record
from rollouts import objects

from slipway import documents
from slipway.delivery import books as booking
from slipway.delivery import incident, ledger
from slipway.delivery.books import Books
from slipway.delivery.incident import Incident
from slipway.delivery.ledger import Entry
from slipway.delivery.record import Decision
from slipway.delivery.rollback import rollback
from slipway.delivery.settle import settle
from slipway.delivery.steps import Step, take
from slipway.errors import ExitCode, SlipwayError
from slipway.models.pins import Pin, Pins, Rejection, load_pins, rejected, settled
from slipway.models.release import Releases

V7, V8, V9 = (a_release(version=version) for version in (7, 8, 9))
BAD = (Rejection(release=V8.id, reason="it lies"),)
ENTRY = Entry(at="2026-11-21T10:00:00Z", action="rejected", model="churn", release=V8.id, version=8)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (Pin(stable=V7.id, candidate=V8.id), Pin(stable=V8.id)),
        (Pin(stable=V7.id, candidate=V9.id), Pin(stable=V8.id, candidate=V9.id)),
        (Pin(stable=V8.id), Pin(stable=V8.id)),
        (Pin(stable=V7.id, candidate=V8.id, hold="freeze"), Pin(stable=V8.id, hold="freeze")),
    ],
)
def test_settling_makes_what_serves_stable_and_keeps_what_is_queued(before: Pin, after: Pin) -> None:
    assert settled(before, V8.id) == after


def test_settling_the_way_back_drops_the_candidate_that_was_rejected() -> None:
    before = Pin(stable=V7.id, candidate=V8.id, rejected=BAD)
    assert settled(before, V7.id) == Pin(stable=V7.id, rejected=BAD)


@pytest.mark.parametrize(
    ("before", "changes", "after"),
    [
        (Pin(stable=V7.id, candidate=V8.id), {"serves": False}, Pin(stable=V7.id, rejected=BAD)),
        (
            Pin(stable=V7.id, candidate=V9.id),
            {"serves": False},
            Pin(stable=V7.id, candidate=V9.id, rejected=BAD),
        ),
        (
            Pin(stable=V7.id, candidate=V8.id),
            {"serves": True},
            Pin(stable=V7.id, candidate=V8.id, rejected=BAD),
        ),
        (
            Pin(stable=V8.id),
            {"serves": True, "stable": V7.id},
            Pin(stable=V7.id, candidate=V8.id, rejected=BAD),
        ),
    ],
)
def test_rejecting_twice_is_rejecting_once(before: Pin, changes: dict[str, Any], after: Pin) -> None:
    once = rejected(before, V8.id, "it lies", **changes)
    assert once == after
    assert rejected(once, V8.id, "another reason", **changes) == after


def test_a_ledger_is_only_appended_to_and_takes_the_same_action_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger" / "prod.jsonl"
    assert ledger.note(path, ENTRY)
    assert not ledger.note(path, ENTRY.model_copy(update={"at": "2026-11-21T11:00:00Z"}))
    other = ENTRY.model_copy(update={"model": "other"})
    assert ledger.note(path, other)
    assert not ledger.note(path, ENTRY)
    again = ENTRY.model_copy(update={"action": "settled"})
    assert ledger.note(path, again)
    assert list(ledger.entries(path)) == [ENTRY, other, again]


def test_a_line_that_a_crash_tore_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "prod.jsonl"
    ledger.note(path, ENTRY)
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: len(whole) // 2])
    after = ENTRY.model_copy(update={"action": "settled"})
    assert ledger.note(path, after)
    assert list(ledger.entries(path)) == [ENTRY, after]


def test_a_line_that_is_no_entry_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "prod.jsonl"
    path.write_text('{"at": "x", "action": "eaten", "model": "churn", "release": "", "version": 8}\n')
    with pytest.raises(SlipwayError, match=r"prod.jsonl:1: action: Input should be .* restore it from Git"):
        list(ledger.entries(path))


def test_the_books_of_an_environment_with_pins_are_in_the_checkout(tmp_path: Path) -> None:
    assert ledger.path_of(tmp_path, an_environment("prod")) == tmp_path / "ledger/prod.jsonl"
    following = an_environment("dev", releases="follow")
    assert ledger.path_of(tmp_path, following) == tmp_path / ".slipway/ledger/dev.jsonl"


def test_a_step_that_may_wait_lets_the_others_be_done_first() -> None:
    done: list[str] = []

    def away() -> str:
        raise SlipwayError("registry x cannot be reached", ExitCode.UNREACHABLE)

    def note() -> str:
        done.append("noted")
        return "noted"

    with pytest.raises(SlipwayError, match="cannot be reached; all else is done: run the same command again") as told:
        take([Step("alias", away, may_wait=True), Step("note", note)])
    assert (done, told.value.exit_code) == (["noted"], ExitCode.UNREACHABLE)
    with pytest.raises(SlipwayError, match=r"reached$"):
        take([Step("alias", away), Step("note", note)])
    assert take([Step("nothing", str), Step("note", note)]) == ["noted"]


def test_without_a_registry_the_pins_are_written_and_no_alias_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    books = Books(tmp_path, an_environment("prod"), a_spec())
    path = tmp_path / "pins/prod.yaml"
    path.parent.mkdir()
    path.write_text(f"environment: prod\nmodels:\n  churn:\n    stable: {V7.id}\n    candidate: {V9.id}\n")
    assert books.move_alias(8) == ""
    said = books.reject(V8.id, 8, "it lies", serves=True, back=V7.id)
    assert said.endswith(f"it lies; {V9.id} has left the pins for that: pin it again when {V7.id} serves")
    assert load_pins(path) == Pins(
        environment="prod", models={"churn": Pin(stable=V7.id, candidate=V8.id, rejected=BAD)}
    )
    assert books.reject(V8.id, 8, "it lies", serves=True, back=V7.id) == ""
    with pytest.raises(SlipwayError, match=rf"v8 serves, but there is no releases/churn/{V8.id}.yaml"):
        books.settle(V8.id)


class FakeKube:
    """A cluster that counts what is listed; users are served by version 8, and version 7 is gone, unless told."""

    def __init__(self, **changes: Any) -> None:
        self.objects = objects(**{"live": 8, "phase": "Succeeded", "weight": 0, "running": (8,), **changes})
        self.listed: list[str] = []

    def list(self, api_version: str, kind: str, namespace: str) -> list[dict[str, Any]]:
        self.listed.append(kind)
        return [each for each in self.objects if each["kind"] == kind]

    def url_of(self, *_: str) -> str:
        return "/events"

    def request(self, *_: Any, **__: Any) -> dict[str, Any]:
        return {"items": []}


@pytest.mark.parametrize(
    ("settings", "following"),
    [
        ({}, "the next `slipway up`"),
        (
            {"delivery": "gitops", "gitops": {"repository": "https://git.example.com/manifests.git"}},
            "the next commit (`slipway render -s prod`)",
        ),
    ],
)
def test_a_settled_release_that_turned_bad_gives_way_to_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], following: str
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    kube: Any = FakeKube()
    books = Books(tmp_path, an_environment("prod", prometheus_url="http://127.0.0.1:1", **settings), a_spec())
    path = tmp_path / "pins/prod.yaml"
    documents.write(path, Pins(environment="prod", models={"churn": Pin(stable=V7.id, candidate=V8.id)}))
    for release in (V7, V8):
        Releases(tmp_path / "releases").write(release)
    settle(kube, books)
    assert load_pins(path).models["churn"] == Pin(stable=V8.id)
    with pytest.raises(SlipwayError, match=rf"^churn: v8 serves, nothing is tried; .* name it: --to {V7.id}$"):
        rollback(kube, books)
    for to in ("v7", None):
        said = rollback(kube, books, reason="it lies", to=to)
        assert load_pins(path).models["churn"] == Pin(stable=V7.id, candidate=V8.id, rejected=BAD)
        assert said[-1] == f"v8 serves until {following} has brought v7 back by a rollout"
    with pytest.raises(SlipwayError, match=re.escape(f"{following} starts the way back")):
        settle(kube, books)
    noted = [(each.action, each.release, each.other) for each in ledger.entries(books.ledger_file)]
    assert noted == [("settled", V8.id, V7.id), ("rejected", V8.id, V7.id)]


def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> list[Any]:
    """Count the calls of a function that a module has imported."""
    calls, function = list[Any](), getattr(module, name)
    monkeypatch.setattr(module, name, lambda *arguments: (calls.append(arguments), function(*arguments))[1])
    return calls


def test_a_command_reads_the_cluster_the_pins_and_the_ledger_once_and_again_only_where_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    kube: Any = FakeKube(live=7, phase="Failed", running=(7, 8))
    books = Books(tmp_path, an_environment("prod", prometheus_url="http://127.0.0.1:1"), a_spec())
    documents.write(books.pins_file, Pins(environment="prod", models={"churn": Pin(stable=V7.id, candidate=V8.id)}))
    pins, lines = counted(monkeypatch, booking, "load_pins"), counted(monkeypatch, ledger, "entries")
    said = rollback(kube, books, reason="it lies")
    assert said[-1].startswith("the next `slipway up` points the target back to v7")
    assert load_pins(books.pins_file).models["churn"] == Pin(stable=V7.id, rejected=BAD)
    assert sorted(kube.listed) == ["Canary", "HTTPRoute", "InferenceService", "Service"]
    assert (len(pins), len(lines)) == (2, 2)


def test_a_command_of_an_environment_that_follows_an_alias_asks_one_registry_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []

    class FakeRegistry:
        def __init__(self, uri: str) -> None:
            made.append(uri)

        def champions(self, alias: str) -> dict[str, int]:
            return {"churn": 8}

        def rejections(self, environment: str) -> dict[str, dict[int, str]]:
            return {}

        def running(self, *_: Any) -> dict[str, Any]:
            return {"churn": V8}

    spec = a_spec()
    monkeypatch.setattr(booking, "Registry", FakeRegistry)
    monkeypatch.setattr(booking, "reject_version", lambda *_: True)
    monkeypatch.setattr(booking, "Connection", lambda _: SimpleNamespace(aliases=lambda: {spec.registered_model: {}}))
    following = {"releases": "follow", "registry": {"tracking_uri": "http://127.0.0.1:2"}}
    books = Books(tmp_path, an_environment("dev", prometheus_url="http://127.0.0.1:1", **following), spec)
    kube: Any = FakeKube(live=7, phase="Failed", running=(7, 8))
    assert "registry: " in "".join(rollback(kube, books, reason="it lies"))
    assert books.recorded().rejected == {8: "it lies"}
    assert made == ["http://127.0.0.1:2"]


def test_what_changed_between_two_releases_is_what_differs() -> None:
    before = a_release(version=7, metrics={"accuracy": 0.9, "old": 1})
    after = a_release(version=8, metrics={"accuracy": 0.8}, dataset="sha256:" + "e" * 64)
    found = {each.what: (each.before, each.after) for each in incident.changes(before, after)}
    assert set(found) == {"training run", "dataset", "artifact", "accuracy", "old"}
    assert (found["accuracy"], found["old"]) == (("0.9", "0.8"), ("1", "-"))
    assert incident.changes(None, after) == ()


def an_incident(**changes: Any) -> Incident:
    content: dict[str, Any] = {
        "environment": "prod",
        "model": "churn",
        "at": "2026-11-21T10:05:00Z",
        "who": "ada@desk",
        "reason": "it lies | badly",
        "rejected": V8.id,
        "serves": V7.id,
        "changes": incident.changes(V7, V8),
    }
    return Incident(**{**content, **changes})


def test_an_incident_tells_what_changed_who_was_exposed_and_when() -> None:
    decision = Decision(at="2026-11-21T10:04:00Z", kind="rolled-back", weight=0, reason="too slow")
    record = a_record(decisions=(decision,))
    text = incident.markdown(an_incident(rollout=record))
    assert text.startswith(f"# prod: churn: {V8.id} was rejected\n\nit lies | badly.\nUsers are served by {V7.id}.")
    assert f"| artifact | {V7.artifact.digest} | {V8.artifact.digest} |" in text
    exposure = record.exposure
    assert f"{exposure.requests} requests within {exposure.seconds:.0f} s were answered by the candidate" in text
    assert "| 2026-11-21T10:04:00Z | 0% | rolled-back | too slow |" in text
    assert "evidence against it, at most" in text
    assert "Unknown: Prometheus could not be asked." in incident.markdown(
        an_incident(rollout=record.model_copy(update={"points": ()}))
    )
    late = incident.markdown(
        an_incident(promoted=True, rollout=record.model_copy(update={"ended": "2026-11-21T10:01:00Z"}))
    )
    assert f"It serves until a rollout has brought {V7.id} back." in late
    assert "It was promoted at 2026-11-21T10:01:00Z: all users have been answered by it since." in late
    assert "could not be read any more" in incident.markdown(an_incident())


def test_an_incident_is_written_once_and_its_two_files_tell_the_same(tmp_path: Path) -> None:
    path = incident.write(tmp_path, an_incident())
    first = path.read_text()
    path.unlink()
    assert incident.write(tmp_path, an_incident(reason="another")).read_text() == first
