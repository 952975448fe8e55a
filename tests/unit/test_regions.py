"""Several stacks for one environment: shards of its models, regions in their order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from builders import a_release, an_environment
from projects import Project

from slipway.aws import names as aws_names
from slipway.delivery import settle as settling
from slipway.delivery.books import Books
from slipway.delivery.rejection import Rejected, reject
from slipway.delivery.settle import refuse_alone
from slipway.errors import ExitCode, SlipwayError
from slipway.models.pins import Pin
from slipway.planning import environment as planning
from slipway.planning import regions
from slipway.planning.regions import Earlier
from slipway.rollout.observed import ObservedModel, ObservedService
from slipway.rollout.plan import Wanted
from slipway.rollout.state import RolloutState
from slipway.settings.checkout import Checkout
from slipway.settings.stack_file import read_environment

STABLE, CANDIDATE = a_release(version=7), a_release(version=8)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def stack(project: Project, name: str, **changes: Any) -> Any:
    """Write a stack like prod, with changes; returns its settings."""
    prod = yaml.safe_load((project.root / "Pulumi.prod.yaml").read_text())["config"]
    content = prod | {f"slipway:{key}": value for key, value in changes.items()}
    (project.root / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump({"config": content}))
    return read_environment(project.root, name)


def runs(version: int, target: int | None = None) -> ObservedModel:
    service = ObservedService(
        version, a_release(version=version).id, True, "", a_release(version=version).artifact.digest
    )
    return ObservedModel(version, target or version, "Succeeded", {f"churn-v{version}": service})


def test_a_stack_declares_the_models_that_its_patterns_name(project):
    for name in ("churn", "fraud", "forecast"):
        project.spec(name)
    one, two = (stack(project, name, models=[own], namespace="x") for name, own in (("one", "f*"), ("two", "churn")))
    planned = {}
    for each in (one, two):
        specs, problems = regions.share(Checkout(project.root), each)
        assert not problems
        planned[each.name] = list(specs)
    assert planned == {"one": ["forecast", "fraud"], "two": ["churn"]}


def test_a_pattern_that_fits_nothing_is_refused_before_it_takes_models_away(project):
    project.spec("churn")
    _, problems = regions.share(Checkout(project.root), stack(project, "one", models=["chrun"]))
    assert str(problems[0]) == "Pulumi.one.yaml: slipway:models: 'chrun' fits no model spec; nearest is 'churn'"


def test_two_stacks_cannot_declare_one_model_in_one_place(project):
    project.spec("churn")
    one = stack(project, "one", models=["c*"])
    stack(project, "two", models=["churn"], namespace="elsewhere")
    # prod itself is of the same cluster, and has all models.
    (problem,) = regions.share(Checkout(project.root), one)[1]
    assert str(problem) == "Pulumi.one.yaml: slipway:models: churn: also declared by stack prod; keep one"


def test_stacks_of_several_regions_share_pins(project):
    project.pinned(STABLE, CANDIDATE, environment="prod")
    plan = planning.plan_environment(Checkout(project.root), stack(project, "prod-us", pins="prod"), {"churn": runs(7)})
    assert plan.problems == ()
    assert plan.plans["churn"].target == CANDIDATE


@pytest.mark.parametrize(
    ("serves", "seen", "tried"),
    [
        (7, runs(7), False),
        (None, runs(7), False),
        (8, runs(7), True),
        # It has begun here: a rollout is not torn away because the first region went back.
        (7, runs(7, target=8), True),
    ],
)
def test_a_region_tries_what_the_one_before_it_serves(serves, seen, tried):
    notices: list[str] = []
    before = Earlier("prod-eu", {"churn": serves})
    wanted = regions.in_turn({"churn": Wanted(STABLE, CANDIDATE)}, {"churn": seen}, before, notices)
    assert (wanted["churn"].candidate == CANDIDATE) is tried
    assert bool(notices) is not tried


def test_a_region_whose_predecessor_is_away_goes_on_with_what_is_stable(project):
    project.pinned(STABLE, CANDIDATE, environment="prod")
    later = stack(project, "prod-us", pins="prod", after="prod")
    before = regions.earlier(Checkout(project.root), later)
    plan = planning.plan_environment(Checkout(project.root), later, {"churn": runs(7)}, earlier=before)
    assert plan.plans["churn"].target == STABLE
    (notice,) = [each for each in plan.notices if "waits" in each]
    assert notice.startswith(
        f"churn: {CANDIDATE.id} waits for stack prod, Pulumi.prod.yaml: slipway:cluster.kubeconfig"
    )


def test_an_order_of_regions_that_cannot_be_is_refused(project):
    with pytest.raises(SlipwayError, match="has the pins prod; expected a stack of the same pins"):
        regions.earlier(Checkout(project.root), stack(project, "us", after="prod"))
    stack(project, "a", pins="prod", after="b")
    with pytest.raises(SlipwayError, match=r"Pulumi\.b\.yaml: slipway:after: a comes after b itself"):
        regions.earlier(Checkout(project.root), stack(project, "b", pins="prod", after="a"))
    with pytest.raises(SlipwayError, match="expected another stack, got this one"):
        stack(project, "c", after="c")


def test_shared_pins_are_settled_when_every_region_serves_the_same(project, monkeypatch):
    project.pinned(STABLE, CANDIDATE, environment="prod")
    stack(project, "prod-us", pins="prod")
    served = {"churn": 7}
    monkeypatch.setattr(regions, "serving", lambda *_: served)
    books = Books(project.root, read_environment(project.root, "prod"), project.spec("churn"))
    assert books.elsewhere() == {"prod-us": 7}
    said = "prod-us serves v7, of the same pins; `slipway render -s prod-us` comes next"
    with pytest.raises(SlipwayError, match=said) as raised:
        refuse_alone(books, 8)
    assert raised.value.exit_code is ExitCode.BUSY
    stack(project, "prod-us", pins="prod", delivery="direct")
    with pytest.raises(SlipwayError, match="`slipway up -s prod-us` comes next"):
        refuse_alone(books, 8)
    served["churn"] = 8
    refuse_alone(books, 8)


def test_what_one_region_rejects_stays_a_candidate_while_another_serves_it(project):
    """So that the other one's `up` finds what its users get among the pins, and takes it back."""
    project.pinned(STABLE, CANDIDATE, environment="prod")
    books = Books(project.root, read_environment(project.root, "prod"), project.spec("churn"))
    books.reject(CANDIDATE.id, 8, "slow", serves=True, back=STABLE.id)
    assert books.pin() == Pin(stable=STABLE.id, candidate=CANDIDATE.id, rejected=books.pin().rejected)
    plan = planning.plan_environment(Checkout(project.root), stack(project, "prod-us", pins="prod"), {"churn": runs(8)})
    assert plan.problems == ()
    assert plan.plans["churn"].target == STABLE


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layers": ["models"]}, "layers: models without metrics; name the stack that has them: platform_stack"),
        ({"releases": "follow", "pins": "prod"}, "pins, after: only for releases: pinned"),
        ({"layers": ["modles"]}, "layers[0]: expected 'platform', 'metrics' or 'models', got 'modles'"),
    ],
)
def test_layers_that_do_not_fit_together_are_refused(project, changes, said):
    with pytest.raises(SlipwayError) as raised:
        stack(project, "x", **changes)
    assert f"Pulumi.x.yaml: slipway:{said}" in str(raised.value)


def test_a_stack_on_anothers_platform_names_what_that_one_has_made_on_aws():
    assert aws_names.prefix(an_environment("prod-models", platform_stack="prod")) == "slipway-prod"
    assert aws_names.prefix(an_environment("prod")) == "slipway-prod"


class AwayKube:
    """A cluster of which nothing more can be read."""

    def __getattr__(self, _: str) -> Any:
        raise SlipwayError("the cluster cannot be reached", ExitCode.UNREACHABLE)


def promoted_here(project: Project, monkeypatch: pytest.MonkeyPatch, elsewhere: dict[str, int]) -> Books:
    project.pinned(STABLE, CANDIDATE, environment="prod")
    for name in elsewhere:
        stack(project, name, pins="prod")
    monkeypatch.setattr(Books, "elsewhere", lambda _: elsewhere)
    return Books(project.root, read_environment(project.root, "prod"), project.spec("churn"))


@pytest.mark.parametrize("elsewhere", [{"prod-us": 7}, {"prod-us": 8}])
def test_settle_writes_nothing_before_the_last_region_serves_it(project, monkeypatch, elsewhere):
    books = promoted_here(project, monkeypatch, elsewhere)
    state = RolloutState("churn", replace(runs(8), services={**runs(7).services, **runs(8).services}, weight=0))
    monkeypatch.setattr(settling, "read", lambda *_: {"churn": state})
    monkeypatch.setattr(RolloutState, "situation", lambda *_: "settled")
    if elsewhere["prod-us"] == 7:
        with pytest.raises(SlipwayError, match="prod-us serves v7"):
            settling.settle(AwayKube(), books)
        assert books.pin().stable == STABLE.id
    else:
        settling.settle(AwayKube(), books)
        assert books.pin().stable == CANDIDATE.id


@pytest.mark.parametrize(("elsewhere", "kept"), [({"prod-eu": 8}, CANDIDATE.id), ({"prod-eu": 7}, None)])
def test_a_rejection_knows_who_else_serves_it(project, monkeypatch, elsewhere, kept):
    books = promoted_here(project, monkeypatch, elsewhere)
    reject(AwayKube(), books, Rejected(RolloutState("churn", runs(7, target=8)), 8, 7, "slow"))
    assert books.pin().candidate == kept
    assert books.pin().rejected[0].release == CANDIDATE.id
