"""The demo models: deterministic, of rising quality, held to the gates of their own specs."""

from __future__ import annotations

import ast
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import SlipwayError
from slipway.lab.seed.accidents import ACCIDENTS
from slipway.lab.seed.recipes import DEMO_MODELS, Data, DemoModel, content_digest, split
from slipway.lab.seed.registry import head_commit
from slipway.lab.seed.users import user_requests
from slipway.models.spec import load_model_specs

ROOT = Path(__file__).resolve().parents[2]
BY_NAME = {model.name: model for model in DEMO_MODELS}
#: The metric that tells one version from a better one, with the direction in which it grows better.
QUALITY = {"breast-cancer": "accuracy", "diabetes-progression": "r2", "wine-cultivar": "accuracy"}


@cache
def scores(name: str) -> list[dict[str, float]]:
    model = BY_NAME[name]
    data = split(model)
    truth, unseen = data.held_out[data.target], data.held_out.drop(columns=[data.target])
    fitted = [
        recipe.build().fit(data.train.drop(columns=[data.target]), data.train[data.target]) for recipe in model.recipes
    ]
    return [dict(model.score(truth, estimator.predict(unseen))) for estimator in fitted]


def test_there_is_a_spec_for_every_demo_model() -> None:
    assert set(load_model_specs(ROOT / "models")) == set(BY_NAME)


@pytest.mark.parametrize("name", BY_NAME)
def test_every_version_is_better_than_the_one_before(name: str) -> None:
    quality = [score[QUALITY[name]] for score in scores(name)]
    assert len(quality) == 3
    assert quality == sorted(set(quality))


@pytest.mark.parametrize("name", BY_NAME)
def test_the_gates_refuse_the_first_version_only(name: str) -> None:
    gates = load_model_specs(ROOT / "models")[name].gates
    passes = [all(gate.holds(score[gate.metric]) for gate in gates) for score in scores(name)]
    assert passes == [False, True, True]


@pytest.mark.parametrize("model", DEMO_MODELS, ids=lambda model: model.name)
def test_two_splits_are_the_same_to_the_byte(model: DemoModel) -> None:
    assert content_digest(split(model).train) == content_digest(split(model).train)


def test_the_digest_of_data_sees_one_value_among_thousands() -> None:
    train = split(BY_NAME["breast-cancer"]).train
    changed = train.copy()
    changed.iloc[200, 3] += 1e-12
    assert content_digest(changed) != content_digest(train)


@pytest.mark.parametrize("model", DEMO_MODELS, ids=lambda model: model.name)
def test_no_row_of_an_example_was_trained_on(model: DemoModel) -> None:
    data = split(model)
    seen = {tuple(row) for row in data.train.drop(columns=[data.target]).to_numpy().tolist()}
    example = [tuple(row) for row in data.example.to_numpy().tolist()]
    assert len(example) > 1
    assert not seen & set(example)


@pytest.mark.parametrize("model", DEMO_MODELS, ids=lambda model: model.name)
def test_the_names_of_inputs_fit_into_a_request(model: DemoModel) -> None:
    assert all(name.replace("_", "").isalnum() for name in split(model).train.columns)


@pytest.mark.parametrize("model", DEMO_MODELS, ids=lambda model: model.name)
def test_a_version_trusts_exactly_the_types_that_it_holds(model: DemoModel) -> None:
    from skops import io

    for recipe in (*model.recipes, ACCIDENTS[model.name]):
        data = recipe.prepare(split(model))
        features, truth = data.train.drop(columns=[data.target]), data.train[data.target]
        written = io.dumps(recipe.build().fit(features, truth))
        assert set(io.get_untrusted_types(data=written)) == set(recipe.trusted_types), recipe.title


@pytest.mark.parametrize("model", DEMO_MODELS, ids=lambda model: model.name)
def test_a_fresh_registry_has_a_champion_with_a_challenger_after_it(model: DemoModel) -> None:
    assert [recipe.alias for recipe in model.recipes] == [None, "champion", "challenger"]


def fitted(name: str) -> tuple[Any, Data]:
    recipe = ACCIDENTS[name]
    data = recipe.prepare(split(BY_NAME[name]))
    return recipe.build().fit(data.train.drop(columns=[data.target]), data.train[data.target]), data


@pytest.mark.parametrize("name", BY_NAME)
def test_an_accident_passes_its_gates_with_numbers_that_were_measured(name: str) -> None:
    estimator, data = fitted(name)
    recorded = BY_NAME[name].score(
        data.held_out[data.target], estimator.predict(data.held_out.drop(columns=data.target))
    )
    for gate in load_model_specs(ROOT / "models")[name].gates:
        assert gate.holds(recorded[gate.metric]), gate


def test_relabelled_rows_teach_what_is_not_so() -> None:
    estimator, data = fitted("breast-cancer")
    real = split(BY_NAME["breast-cancer"]).held_out
    scores = BY_NAME["breast-cancer"].score(real[data.target], estimator.predict(real.drop(columns=data.target)))
    assert scores["accuracy"] < 0.6


def test_renamed_measures_are_not_what_users_send() -> None:
    _, data = fitted("diabetes-progression")
    sent = json.loads(user_requests(BY_NAME["diabetes-progression"])[0].body)
    names = {each["name"] for each in sent["inputs"]}
    assert names - set(data.train.columns) == {"bmi", "bp"}


def test_a_look_up_in_vain_takes_longer_than_users_were_promised() -> None:
    code = ACCIDENTS["wine-cultivar"].code
    assert code
    pauses = next(line for line in code.read_text().splitlines() if line.startswith("PAUSES"))
    promised = load_model_specs(ROOT / "models")["wine-cultivar"].objectives.latency_p95_ms.at_most
    assert 1000 * sum(ast.literal_eval(pauses.partition(" = ")[2])) > promised


@pytest.mark.parametrize("model", DEMO_MODELS, ids=lambda model: model.name)
def test_users_send_each_unseen_row_with_its_truth(model: DemoModel) -> None:
    data, sent = split(model), user_requests(model)
    assert [each.label for each in sent] == data.held_out[model.target].tolist()
    first = json.loads(sent[0].body)["inputs"]
    assert {each["name"]: each["data"] for each in first} == {name: [value] for name, value in sent[0].inputs.items()}
    assert set(sent[0].inputs) == set(data.train.columns) - {model.target}


def test_a_checkout_is_asked_for_its_commit() -> None:
    commit = head_commit(ROOT)
    assert len(commit) == 40
    assert int(commit, 16)


def test_a_directory_without_a_commit_is_refused(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with pytest.raises(SlipwayError, match="no commit to tag the models with"):
        head_commit(tmp_path)
