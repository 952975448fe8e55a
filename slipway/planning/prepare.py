"""The verified plan of an environment, for `slipway plan`, `slipway render`, `preview` and `up`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from slipway.errors import ExitCode, NotYet, SlipwayError
from slipway.gitops.render import render
from slipway.planning import guard, regions, verification
from slipway.planning.environment import EnvironmentPlan, plan_environment
from slipway.rollout.observed import ObservedModel
from slipway.settings.checkout import Checkout
from slipway.settings.environment import Environment


def prepare(
    checkout: Checkout, environment: Environment, *, preview: bool, held_back: str | None = None
) -> EnvironmentPlan:
    """Read the cluster, check for a second writer, plan, and verify new releases.

    Args:
        checkout: The project's files.
        environment: The stack's settings.
        preview: Whether a cluster or artifact store that cannot be reached is a warning instead of an error.
        held_back: The model whose target goes back to the serving version, if any.

    Raises:
        SlipwayError: A file does not fit, another program applies the models, or the cluster or the registry cannot
            be read.
    """
    if "models" not in environment.layers:
        return EnvironmentPlan(environment, {}, {}, {})
    notices, warnings = list[str](), list[str]()
    observed = _observe(checkout, environment, preview, notices, warnings)
    guard.refuse_two_writers(environment, observed or {})
    earlier = regions.earlier(checkout, environment)
    plan = plan_environment(checkout, environment, observed, held_back, earlier)
    problems = [*plan.problems, *_verify(plan, preview, warnings)]
    tree = None
    if environment.delivery == "gitops" and not problems and plan.observed is not None:
        try:
            tree = render(checkout.root, environment, plan.shared(), plan.compiled, plan.observed)
        except SlipwayError as error:
            problems.append(error)
    notices += plan.notices
    return replace(plan, notices=tuple(notices), warnings=tuple(warnings), problems=tuple(problems), tree=tree)


def _observe(
    checkout: Checkout, environment: Environment, preview: bool, notices: list[str], warnings: list[str]
) -> Mapping[str, ObservedModel] | None:
    own = [name for name in checkout.specs if environment.has(name)]
    try:
        return regions.observe(checkout, environment, own)
    except NotYet as error:
        # A cluster that this stack is about to create serves no model, so an `up` may go on.
        if "platform" not in environment.layers:
            raise
        notices.append(f"{error}; it is created first, then the models")
        return dict.fromkeys(own, ObservedModel())
    except SlipwayError as error:
        if not (preview and error.exit_code is ExitCode.UNREACHABLE):
            raise
        said = f"{error}; until then what runs is unknown: a preview shows a first deployment, of unverified bytes"
        (notices if environment.cluster.kubeconfig is None else warnings).append(said)
        return None


def _verify(plan: EnvironmentPlan, preview: bool, warnings: list[str]) -> list[SlipwayError]:
    """Verify the bytes of releases that are about to run for the first time."""
    found = verification.verify(plan.to_create())
    away = [error for error in found if error.exit_code is ExitCode.UNREACHABLE]
    if not (preview and away):
        return found
    warnings.append(f"{away[0]}; the bytes are not verified, an up would stop here")
    return [error for error in found if error not in away]
