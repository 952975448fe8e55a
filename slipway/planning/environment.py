"""The plan of an environment, model by model, without Pulumi.

The program registers its objects; `slipway plan` prints it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from slipway import documents, registry
from slipway.compile import (
    CompiledLlm,
    CompiledModel,
    compile_llm,
    compile_model,
    compile_shared,
    refusals,
    serving_changes,
)
from slipway.errors import SlipwayError, at
from slipway.gitops.writer import Outcome
from slipway.models.pins import Rejection, load_pins, pinned
from slipway.models.release import Release, Releases
from slipway.models.spec import ModelSpec
from slipway.objects import Object
from slipway.planning import regions
from slipway.planning.regions import Earlier
from slipway.planning.timeline import predict
from slipway.policy import preview
from slipway.rollout import llm
from slipway.rollout.observed import ObservedModel
from slipway.rollout.plan import ModelPlan, Wanted, follow, plan_model
from slipway.settings.checkout import Checkout
from slipway.settings.environment import Environment, path_of


@dataclass(frozen=True)
class EnvironmentPlan:
    """Plan of an environment.

    Args:
        environment: Its settings.
        specs: Specs of its models, by name.
        wanted: Releases that the alias or the pins name, by model.
        observed: State in the cluster, by model; None if the cluster was not read.
        plans: Plans by model; a model with a problem may have none.
        compiled: Objects by model; empty if there are problems. The program removes each model that it has registered,
            so that the objects of a thousand models are not held to the end.
        llms: The same for LLMs.
        notices: Notices for the operator.
        problems: Reasons against an `up`; with any, nothing is changed.
        warnings: Failed checks, at which an `up` would stop.
        tree: Changes to the files that Argo CD applies; None if Pulumi applies the objects, if the cluster was not read
            or if there are problems.
    """

    environment: Environment
    specs: Mapping[str, ModelSpec]
    wanted: Mapping[str, Wanted]
    observed: Mapping[str, ObservedModel] | None
    plans: Mapping[str, ModelPlan] = field(default_factory=dict)
    compiled: dict[str, CompiledModel] = field(default_factory=dict)
    llms: dict[str, CompiledLlm] = field(default_factory=dict)
    notices: tuple[str, ...] = ()
    problems: tuple[SlipwayError, ...] = ()
    warnings: tuple[str, ...] = ()
    tree: Outcome | None = None

    def shared(self) -> tuple[Object, ...]:
        """Return the objects that all models share, if this stack owns them."""
        return compile_shared(self.environment) if self.plans or "models" not in self.environment.layers else ()

    def unwritten(self) -> tuple[str, ...]:
        """Return notices about changes to Argo CD's files that are not written yet."""
        if self.tree is None:
            return ()
        changed = tuple(f"{change.path}: to {change.what}" for change in self.tree.changes)
        todo = f"Argo CD applies these when they are written and committed: slipway render -s {self.environment.name}"
        return (*self.tree.notices, *changed, *((todo,) if changed else ()))

    def to_create(self) -> tuple[Release, ...]:
        """List the releases that do not run yet; empty if the cluster was not read."""
        if self.observed is None:
            return ()
        known = {name: {s.version for s in seen.services.values()} for name, seen in self.observed.items()}
        return tuple(
            release
            for name, plan in self.plans.items()
            for release in plan.declared
            if release.version not in known.get(name, set())
        )


def plan_environment(
    checkout: Checkout,
    environment: Environment,
    observed: Mapping[str, ObservedModel] | None,
    held_back: str | None = None,
    earlier: Earlier | None = None,
) -> EnvironmentPlan:
    """Plan an environment from the project's files and, if it follows an alias, from the registry.

    Args:
        checkout: The project's files.
        environment: The stack's settings.
        observed: State in the cluster, by model; None if the cluster was not read.
        held_back: The model whose target goes back to the serving version, if any.
        earlier: Versions that the preceding stack serves; None without such a stack.

    Raises:
        SlipwayError: A file does not fit, or the registry cannot be read. Errors of single models are collected as the
            plan's problems.
    """
    notices, problems = list[str](), list[SlipwayError]()
    specs, clashes = regions.share(checkout, environment)
    problems += clashes
    if environment.releases == "follow":
        wanted = followed(specs, environment, observed or {})
    else:
        wanted = _pinned(checkout, specs, environment, observed or {}, notices, problems)
        wanted = regions.in_turn(wanted, observed or {}, earlier, notices)
    specs = {name: specs[name] for name in wanted}
    wanted = {name: replace(each, held_back=name == held_back) for name, each in wanted.items()}
    plans = {}
    for name, spec in specs.items():
        try:
            plans[name] = plan_model(spec, wanted[name], (observed or {}).get(name))
        except SlipwayError as error:
            problems.append(error)
        else:
            notices += plans[name].notices
    problems += map(SlipwayError, refusals(specs, plans, environment))
    compiled, llms = dict[str, CompiledModel](), dict[str, CompiledLlm]()
    for name, plan in plans.items() if not problems else ():
        if specs[name].llm:
            llms[name] = compile_llm(specs[name], plan, environment)
            notices += llm.notices(name, plan)
        else:
            compiled[name] = compile_model(specs[name], plan, environment)
    declared: dict[str, CompiledModel | CompiledLlm] = {**compiled, **llms}
    services = [each for objects in declared.values() for each in objects.inference_services]
    running = {name for seen in (observed or {}).values() for name in seen.services}
    said, refused = preview.violations(environment, services, running)
    notices += said
    if refused:
        problems, compiled, llms, declared = refused, {}, {}, {}
    if observed:
        for name, each in declared.items():
            notices += serving_changes(each.inference_services, observed[name].services)
        for name, objects in compiled.items():
            if observed[name].target_version not in (None, plans[name].target.version):
                notices += _pace(specs[name], plans[name], objects, environment)
    return EnvironmentPlan(environment, specs, wanted, observed, plans, compiled, llms, tuple(notices), tuple(problems))


def _pace(spec: ModelSpec, plan: ModelPlan, objects: CompiledModel, environment: Environment) -> tuple[str, ...]:
    """Predict the duration of a rollout, as a notice before the target moves."""
    if plan.target is plan.live:
        return ()
    rate = spec.rollout.requests_per_second
    timeline = predict(objects.canary, environment.name, rate)
    steps = [f"{step.weight}% for {step.seconds} s" for step in timeline.steps]
    way = ", ".join(steps) if timeline.strategy == "canary" else timeline.strategy
    labels = f" with {spec.rollout.min_labels} labels" if spec.rollout.min_labels else ""
    return (
        f"{spec.name}: {plan.target.id} rolls out: {way}; about {timeline.promoted_seconds:.0f} s until it is promoted,"
        f" at {rate:g} requests a second{labels}",
    )


def followed(
    specs: Mapping[str, ModelSpec], environment: Environment, observed: Mapping[str, ObservedModel]
) -> dict[str, Wanted]:
    """Resolve the alias of every model at once; the live versions come from the cluster.

    Raises:
        SlipwayError: The registry cannot be reached, or lacks a model, its alias or a version.
    """
    if not specs:
        return {}
    client = registry.Registry(environment.registry.tracking_uri)
    aliased = client.resolve(specs, environment.alias)
    versions = {name: seen.live_version for name, seen in observed.items() if seen.live_version is not None}
    others = {name: version for name, version in versions.items() if version != aliased[name].version}
    live = {**aliased, **client.running(specs, others)} if others else aliased
    # Read together with the versions resolved above, without another request.
    rejected = client.rejections(environment.name)

    def rejections(name: str) -> tuple[Rejection, ...]:
        reasons = rejected.get(specs[name].registered_model, {})
        releases = {release.version: release for release in (aliased[name], live[name])}
        return tuple(
            Rejection(release=release.id, reason=reasons[version])
            for version, release in releases.items()
            if version in reasons
        )

    return {name: follow(aliased[name], live[name] if name in versions else None, rejections(name)) for name in specs}


def _pinned(
    checkout: Checkout,
    specs: Mapping[str, ModelSpec],
    environment: Environment,
    observed: Mapping[str, ObservedModel],
    notices: list[str],
    problems: list[SlipwayError],
) -> dict[str, Wanted]:
    path, releases = path_of(checkout.root, environment), Releases(checkout.root / "releases")
    if not path.exists():
        live = [name for name, seen in observed.items() if seen.live_version is not None]
        if live:
            trouble = f"{at(documents.display(path))}no such file, yet {environment.name} serves {', '.join(live)};"
            problems.append(SlipwayError(f"{trouble} restore it (to take everything down: `pulumi destroy`)"))
        else:
            notices.append(f"{documents.display(path)}: no such file, so no model runs in {environment.name}")
        return {}
    pins = load_pins(path)
    notices += [
        f"models/{name}.yaml: not pinned in {documents.display(path)}, so it does not run in {environment.name}"
        for name in specs
        if name not in pins.models
    ]
    wanted = {}
    for name, pin in sorted(pins.models.items()):
        if not environment.has(name):
            continue
        if name not in specs:
            problems.append(_without_spec(path, name, specs))
            continue
        try:
            stable, candidate = pinned(path, pins, name, releases)
        except SlipwayError as error:
            problems.append(error)
        else:
            wanted[name] = Wanted(stable, candidate, pin.rejected, pin.hold)
    return wanted


def _without_spec(path: Path, name: str, specs: Mapping[str, ModelSpec]) -> SlipwayError:
    where = at(documents.display(path), documents.line_of(path, "models", name), f"models.{name}")
    near = documents.nearest(name, list(specs))
    hint = f"nearest is {near!r}" if near else "write it, or remove the pin"
    return SlipwayError(f"{where}there is no models/{name}.yaml; {hint}")
