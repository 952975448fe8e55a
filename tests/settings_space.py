"""Every setting of a stack, changed to another valid value; what that changes in what is compiled or refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from builders import a_plan, a_release, a_spec
from projects import CHECKOUT
from pydantic import BaseModel, ValidationError

from slipway import schema
from slipway.compile import compile_llm, compile_model, compile_shared, refusals
from slipway.errors import SlipwayError
from slipway.platform.charts import Charts
from slipway.platform.compiling import SYSTEMS
from slipway.platform.context import Context
from slipway.settings.environment import Environment
from slipway.settings.stack_file import read_environment

#: Systems whose objects come from charts, which the real helm renders.
CHARTS = {"cert_manager", "gateway", "flagger", "kserve", "llm_serving", "kyverno", "secrets", "backup", "argocd"}
#: Texts of every form that some setting asks for.
TEXTS = (
    *("other", "http://other:1234", "https://other.example.com", "s3://other/models", "7", "3Gi", "other/image:2"),
    *("11 1 * * 1", "eu-west-1", "$other:key", "192.0.2.0/24", "models-other.example.com"),
)
SPECS = {
    name: a_spec(name, cost_center="growth", **changes)
    for name, changes in {
        "churn": {},
        "scaled": {"serving": {"gpus": 4, "scaling": {"metric": "requests", "target": 5}}},
        "shadow": {"rollout": {"strategy": "shadow", "requests_per_second": 20}},
        "answers": {"llm": {"scheduler": True}},
    }.items()
}
PLANS = {name: a_plan(a_release(name), a_release(name, version=8)) for name in SPECS}


@cache
def bases() -> tuple[Environment, ...]:
    """Production with everything in it that may be left out; the same on a cluster that is not of AWS."""
    content = read_environment(CHECKOUT, "prod").model_dump()
    content["platform"] |= {"cert_manager": {}, "mlflow": {**content["platform"]["mlflow"], "database": "postgres"}}
    content["payloads_url"] = "http://observe:9092"
    elsewhere = {**content, "cluster": {"identifier": "own", "kubeconfig": "kubeconfig"}}
    # Beside our own Prometheus another namespace is refused.
    elsewhere["platform"] = {**content["platform"], "monitoring": None}
    return Environment.model_validate(content), Environment.model_validate(elsewhere)


def leaves(model: BaseModel, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The places of all settings that hold no others."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        held = value.items() if isinstance(value, dict) else ()
        if isinstance(value, BaseModel):
            yield from leaves(value, (*at, name))
        elif held and all(isinstance(each, BaseModel) for _, each in held):
            for key, each in held:
                yield from leaves(each, (*at, name, key))
        else:
            yield (*at, name)


def others(environment: Environment, place: tuple[Any, ...]) -> Iterator[Environment]:
    """The same environment with other valid values of one setting."""
    found: Any = environment.model_dump()
    for key in place[:-1]:
        found = found[key]
    old = found[place[-1]]
    literals = [arg for each in schema.at(Environment, place) if get_origin(each) is Literal for arg in get_args(each)]
    plain: list[Any] = [*literals, True, False, *TEXTS]
    plain += [old + 1, old - 1] if isinstance(old, int) else [5, 61]
    for new in [*plain, *((each,) for each in plain), {}, {"other": "text"}, None]:
        if new == old and type(new) is type(old):
            continue
        content = environment.model_dump()
        holder: Any = content
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = new
        try:
            yield Environment.model_validate(content)
        except (ValidationError, AttributeError, TypeError):
            continue


def effects(environment: Environment, place: tuple[Any, ...]) -> str:
    """What is compiled, or why it is not: of models, and of the systems that a setting can be about."""
    found: dict[str, Any] = {"refused": refusals(SPECS, PLANS, environment), "shared": compile_shared(environment)}
    for name, spec in SPECS.items():
        compiler = compile_llm if spec.llm else compile_model
        found[name] = repr(compiler(spec, PLANS[name], environment))
    context = Context(environment, Charts(Path("none"), Path("none")), tuple(SPECS.values()))
    for system in SYSTEMS:
        if system.name in CHARTS or (place[0] == "platform" and place[1] != system.name):
            continue
        try:
            found[system.name] = system.objects(context)
        except SlipwayError as error:
            found[system.name] = str(error)
    return json.dumps(found, default=str)


def matters(place: tuple[Any, ...]) -> bool:
    """Whether another value of a setting changes something, in one of the environments."""
    tried = 0
    for base in bases():
        if place not in leaves(base):
            continue
        before = effects(base, place)
        for other in islice(others(base, place), 6):
            tried += 1
            if effects(other, place) != before:
                return True
    assert tried, f"{place}: no other valid value is known; add one to TEXTS"
    return False
