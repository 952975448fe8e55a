"""Documents: what is refused and how it is said, what is written and that it comes back."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway import documents
from slipway.errors import SlipwayError
from slipway.models.pins import Pin, Pins, Rejection
from slipway.models.spec import ENV_NAME, ModelSpec, load_model_specs

GOOD = """\
name: churn
owner: growth
objectives:
  success_rate_percent: {at_least: 99}
  latency_p95_ms: {at_most: 250}
gates:
  - metric: accuracy
    at_least: 0.9
rollout:
  steps: [5, 25]
  requests_per_second: 10
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLIPWAY_PROJECT", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path


def refusal(project: Path, text: str | bytes) -> str:
    file = project / "models" / "churn.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SlipwayError) as raised:
        load_model_specs(project / "models")
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_good_document_is_read(project: Path) -> None:
    (project / "models" / "churn.yaml").write_text(GOOD)
    (spec,) = load_model_specs(project / "models").values()
    assert (spec.registered_model, spec.rollout.steps, spec.serving.cpu) == ("churn", (5, 25), "500m")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("steps:", "stesp:", "10: rollout.stesp: unknown key; nearest valid key is 'steps'"),
        (
            "steps: [5, 25]",
            "strategy: knative",
            "10: rollout.strategy: 'knative' is no strategy any more; write 'canary', which takes the same steps",
        ),
        ("steps:", "xyz:", "10: rollout.xyz: unknown key; valid keys are 'strategy', 'steps', 'requests_per_second', "),
        (
            "at_most: 250",
            "at_least: 250",
            "5: objectives.latency_p95_ms.at_least: unknown key; nearest valid key is 'at_most' (+1",
        ),
        (
            "requests_per_second",
            "requests_per_secnd",
            "11: rollout.requests_per_secnd: unknown key; nearest valid key is",
        ),
        ("owner: growth\n", "", "1: owner: missing; expected a text"),
        ("  requests_per_second: 10\n", "", "9: rollout.requests_per_second: missing; expected a number"),
        ("requests_per_second: 10", "requests_per_second: fast", "11: rollout.requests_per_second: expected a number"),
        ("[5, 25]", "[5, 0.5]", "10: rollout.steps[1]: expected a whole number, got 0.5"),
        ("[5, 25]", "[5, 101]", "10: rollout.steps[1]: expected at most 100, got 101"),
        ("[5, 25]", "[]", "10: rollout.steps: expected at least 1 entries, got a list"),
        ("owner: growth", "owner: no", "2: owner: expected a text (put it in quotes), got false"),
        (
            "at_least: 0.9",
            "at_least: 0.9\n    at_most: 1",
            "7: gates[0]: expected exactly one of 'at_least' or 'at_most'",
        ),
        ("at_least: 0.9", "at_least: .nan", "8: gates[0].at_least: expected a finite number, got nan"),
        ("rollout:", "rollout:\n  pauses: {5: 0}", "10: rollout.pauses[5]: expected at least 1, got 0"),
        ("rollout:", "rollout:\n  pauses: {5: 10, 101: 10}", "10: rollout.pauses[101]: expected at most 100, got 101"),
        (
            "objectives:",
            "objectives:\n  correct_percent: {at_least: 0}",
            "3: objectives: expected correct_percent.at_least between 0 and 100 (percent), got 0",
        ),
        ("objectives:", "objectives:\n  within: 5", "3: objectives: expected correct_percent beside within"),
        ("at_least: 99", "at_least: 101", "3: objectives: expected success_rate_percent.at_least between 0 and 100"),
        ("rollout:\n", "serving: {memory: 1024Mi}\nrollout:\n", "9: serving.memory: expected the canonical form '1Gi'"),
        ("rollout:\n", "serving: {memory: 1GB}\nrollout:\n", "9: serving.memory: expected a whole number with Ki, "),
        ("rollout:\n", "serving: {cpu: '1.5'}\nrollout:\n", "9: serving.cpu: expected cores as '2' or thousandths"),
        ("rollout:\n", "serving: {cpu: 2000m}\nrollout:\n", "9: serving.cpu: expected the canonical form '2', got"),
        ("rollout:\n", "serving: {env: {A-B: x}}\nrollout:\n", "9: serving.env.A-B: expected a text that matches"),
        ("rollout:\n", "serving: {replicas: {min: 3}}\nrollout:\n", "9: serving.replicas: expected max to be at least"),
        ("name: churn", "name: Churn", "1: name: expected a text that matches"),
        ("name: churn", "name: other", "1: name: expected the file's own name 'churn', got 'other'"),
        ("rollout:\n", "rollout:\n  strategy: blue\n", "10: rollout.strategy: expected 'canary', 'blue-green'"),
        (
            "rollout:\n",
            "rollout:\n  strategy: ab\n",
            "9: rollout: expected audience with strategy 'ab' and with no other, got strategy 'ab'",
        ),
        (
            "rollout:\n",
            "rollout:\n  audience: {header: x-beta, value: yes1}\n",
            "9: rollout: expected audience with strategy 'ab' and with no other, got strategy 'canary'",
        ),
        (
            "rollout:\n",
            "rollout:\n  audience: {header: x-beta, cookie: beta, value: yes1}\n",
            "10: rollout.audience: expected exactly one of 'header' or 'cookie'",
        ),
        (
            "rollout:\n",
            "rollout:\n  audience: {cookie: beta, value: 'a;b'}\n",
            "10: rollout.audience.value: expected a text that matches",
        ),
        (
            "rollout:\n",
            "rollout:\n  strategy: blue-green\n",
            "9: rollout: expected no steps, no pauses: strategy 'blue-green' moves all traffic at once",
        ),
        ("owner: growth", "owner: growth\nowner: other", "3: malformed YAML: duplicate key 'owner'"),
        ("{at_least: 99}", "{at_least: 99, at_least: 98}", "4: malformed YAML: duplicate key 'at_least'"),
        ("[5, 25]", "[5, 25", "11: malformed YAML: did not find expected ',' or ']'"),
        ("owner: growth", "owner: !!python/object:os.system x", "2: malformed YAML: could not determine a constructor"),
    ],
)
def test_a_mistake_is_told_with_line_and_field(project: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    told = refusal(project, GOOD.replace(old, new))
    assert told.startswith("models/churn.yaml:")
    assert message in told


def test_the_first_of_several_mistakes_is_told_with_how_many_follow(project: Path) -> None:
    text = GOOD.replace("99", "'99'").replace("steps", "stesp").replace("growth", "1")
    assert refusal(project, text) == "models/churn.yaml:2: owner: expected a text (put it in quotes), got 1 (+2 more)"


def test_what_yaml_says_once_may_be_used_again(project: Path) -> None:
    text = GOOD.replace("{at_least: 99}", "&bound {at_least: 99}").replace(
        "gates:", "  correct_percent: *bound\ngates:"
    )
    text = text.replace("  - metric", "  - &gate\n    metric").replace(
        "rollout:", "  - {<<: *gate, metric: f1}\nrollout:"
    )
    (project / "models" / "churn.yaml").write_text(text)
    (spec,) = load_model_specs(project / "models").values()
    assert spec.objectives.correct_percent == spec.objectives.success_rate_percent
    assert [(gate.metric, gate.at_least) for gate in spec.gates] == [("accuracy", 0.9), ("f1", 0.9)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "models/churn.yaml: empty; expected a mapping with the keys 'name'"),
        (b"- a\n", "models/churn.yaml:1: expected a mapping, got a list"),
        (b"a: \xff\n", "models/churn.yaml: cannot be read ("),
        (b"a: \x00\n", "models/churn.yaml: malformed YAML: "),
        (b"1: a\n", "models/churn.yaml:1: "),
        (b"[a, b]: c\n", "models/churn.yaml:1: malformed YAML: expected a text or a number as the key"),
        (b"&all\nname: *all\n", "models/churn.yaml: malformed YAML: nested too deeply, or an alias within"),
    ],
)
def test_what_is_no_document_at_all_is_told_in_one_line(project: Path, content: bytes, message: str) -> None:
    assert refusal(project, content).startswith(message)


def test_a_file_with_another_suffix_is_refused_instead_of_passed_over(project: Path) -> None:
    (project / "models" / "churn.yml").write_text(GOOD)
    with pytest.raises(SlipwayError, match=r"^models/churn.yml: not read; name it churn.yaml$"):
        load_model_specs(project / "models")


def test_a_missing_directory_is_named(project: Path) -> None:
    with pytest.raises(SlipwayError, match=r"^specs: no such directory; expected model specs in it$"):
        load_model_specs(project / "specs")


def test_a_missing_file_is_named(project: Path) -> None:
    with pytest.raises(SlipwayError, match=r"^pins/prod.yaml: no such file$"):
        documents.read(project / "pins" / "prod.yaml", Pins)


def test_the_canonical_form_is_in_field_order_without_defaults() -> None:
    pin = Pin(stable=f"v7-{'a' * 12}", rejected=(Rejection(release=f"v8-{'b' * 12}", reason="slower: p95 300 ms"),))
    text = documents.dump(Pins(environment="prod", models={"zoo": pin, "ant": Pin(stable=f"v1-{'c' * 12}")}))
    assert text == (
        "# Written by slipway; do not edit.\n"
        "schema_version: 1\n"
        "environment: prod\n"
        "models:\n"
        "  ant:\n"
        "    stable: v1-cccccccccccc\n"
        "  zoo:\n"
        "    stable: v7-aaaaaaaaaaaa\n"
        "    rejected:\n"
        "    - release: v8-bbbbbbbbbbbb\n"
        "      reason: 'slower: p95 300 ms'\n"
    )


def test_what_people_write_gets_no_header(project: Path) -> None:
    (project / "models" / "churn.yaml").write_text(GOOD)
    (spec,) = load_model_specs(project / "models").values()
    assert documents.dump(spec).startswith("name: churn\n")


def test_a_write_that_fails_leaves_the_old_document(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = project / "pins" / "prod.yaml"
    documents.write(file, Pins(environment="prod"))
    before = file.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        documents.write(file, Pins(environment="prod", models={"a": Pin(stable=f"v1-{'a' * 12}")}))
    assert file.read_bytes() == before
    assert [each.name for each in file.parent.iterdir()] == ["prod.yaml"]


numbers = st.floats(allow_nan=False, allow_infinity=False)
specs = st.builds(
    lambda **content: ModelSpec.model_validate(content),
    name=st.from_regex(r"[a-z]([-a-z0-9]*[a-z0-9])?", fullmatch=True),
    owner=st.text(min_size=1),
    description=st.text(),
    serving=st.fixed_dictionaries({"env": st.dictionaries(st.from_regex(ENV_NAME, fullmatch=True), st.text())}),
    objectives=st.fixed_dictionaries(
        {
            "success_rate_percent": st.fixed_dictionaries({"at_least": st.floats(0.1, 100)}),
            "latency_p95_ms": st.fixed_dictionaries({"at_most": st.floats(0.1, 1e9)}),
        }
    ),
    gates=st.lists(st.fixed_dictionaries({"metric": st.text(min_size=1), "at_most": numbers}), max_size=2).map(tuple),
    rollout=st.fixed_dictionaries(
        {"requests_per_second": st.floats(1e-9, 1e9), "steps": st.lists(st.integers(1, 100), min_size=1).map(tuple)}
    ),
)


@given(specs)
def test_any_document_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, spec: ModelSpec) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    documents.write(file, spec)
    again = documents.read(file, ModelSpec)
    assert again == spec
    assert documents.dump(again) == file.read_text()
