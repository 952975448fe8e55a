"""Reference of all settings: values, default and meaning, read from the types in `slipway/settings/environment.py`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from slipway import schema
from slipway.documents import nearest
from slipway.errors import SlipwayError
from slipway.settings.environment import Environment

#: In the place of a default, for a setting without one.
REQUIRED = "required"
#: In the place of no value.
NOTHING = "-"
#: The value of a part that an environment has; the settings in it are listed separately.
THERE = "yes"
#: Fields of an environment that are no settings.
NOT_SETTINGS = ("name",)


@dataclass(frozen=True)
class Setting:
    """One setting.

    Args:
        key: Dotted, as in messages.
        values: In words.
        default: Plain data; `REQUIRED` where there is none.
        meaning: One line.
    """

    key: str
    values: str
    default: Any
    meaning: str


def settings() -> tuple[Setting, ...]:
    """List every setting, each after its parent."""
    return tuple(
        Setting(key, schema.values(field), _default(field), schema.meaning(field))
        for key, field in schema.fields(Environment)
        if key not in NOT_SETTINGS
    )


def explain(prefix: str = "") -> tuple[Setting, ...]:
    """List the settings at and below a key.

    Raises:
        SlipwayError: There is no such key.
    """
    known = settings()
    below = (f"{prefix}.", f"{prefix}[")
    found = tuple(each for each in known if not prefix or each.key == prefix or each.key.startswith(below))
    if not found:
        near = nearest(prefix, [each.key for each in known])
        hint = f"nearest is {near}" if near else "`slipway config explain` lists all"
        raise SlipwayError(f"{prefix}: no such setting; {hint}")
    return found


def compare(environments: Mapping[str, Environment]) -> dict[str, dict[str, Any]]:
    """Return the settings of each environment by key, defaults included.

    The value of an optional part is `THERE` or None; the settings in it are only of environments that have it.
    """
    flat = {name: dict(_flat(environment)) for name, environment in environments.items()}
    keys = dict.fromkeys(key for each in flat.values() for key in each)
    order = {setting.key: place for place, setting in enumerate(settings())}
    return {
        key: {name: flat[name][key] for name in environments if key in flat[name]}
        for key in sorted(keys, key=lambda key: order[key])
    }


def differs(values: Mapping[str, Any]) -> bool:
    """Return whether the environments that have a setting differ in it."""
    return len({_text(value) for value in values.values()}) > 1


def text(value: Any) -> str:
    """Return a value as one line of YAML."""
    return NOTHING if value in (None, "") else value if isinstance(value, str) else _text(value)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _default(field: FieldInfo) -> Any:
    return REQUIRED if field.is_required() else _plain(field.get_default(call_default_factory=True))


def _flat(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value, key = getattr(model, name), f"{prefix}{name}"
        if key in NOT_SETTINGS:
            continue
        if isinstance(value, BaseModel):
            yield key, THERE
            yield from _flat(value, f"{key}.")
        else:
            yield key, _plain(value)


def _plain(value: Any) -> Any:
    """Return a value as plain data of YAML."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value


def page(environments: Mapping[str, Environment]) -> str:
    """Return the text of `docs/environments.md`: differing settings, equal ones, and the meaning of each."""
    rows = compare(environments)
    names, meanings = list(environments), {each.key: each.meaning for each in settings()}

    def cells(key: str, values: Mapping[str, Any]) -> str:
        shown = [text(values.get(name)) for name in names] if differs(values) else [text(next(iter(values.values())))]
        return " | ".join([f"`{key}`", *map(_cell, shown), _cell(meanings[key])])

    def table(head: list[str], lines: list[str]) -> list[str]:
        return [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {line} |" for line in lines), ""]

    differing = [cells(key, values) for key, values in rows.items() if differs(values)]
    # A part that every environment has is no setting.
    same = [cells(key, v) for key, v in rows.items() if not differs(v) and THERE not in v.values()]
    lines = [
        "<!-- Written by `make docs` from Pulumi.*.yaml; do not edit. -->",
        "# What differs between the environments",
        "",
        f"Every setting in which the environments are not the same, defaults included; `{NOTHING}` stands for nothing,",
        f"`{THERE}` for a part whose own settings are listed for the environments that have it.",
        "",
        *table(["setting", *names, "meaning"], differing),
        "## What does not",
        "",
        *table(["setting", "everywhere it is", "meaning"], same),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _cell(words: str) -> str:
    return words.replace("|", "\\|")
