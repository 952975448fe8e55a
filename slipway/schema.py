"""Schema of a typed document: the types at a place, and all keys with their meaning."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from slipway.errors import SlipwayError

#: A place in a document (pydantic's `loc`).
Loc = Sequence[int | str]
#: The key of a file's schema version. A file without it was written before there were versions.
VERSION = "schema_version"
#: The version that this Slipway writes, and the only one that it reads besides none.
NEWEST = 1


def unversioned(content: Any, where: Callable[[], str]) -> Any:
    """Return a document without its schema version; `where` returns the place for the message.

    Raises:
        SlipwayError: This Slipway does not read that version.
    """
    if not isinstance(content, Mapping) or VERSION not in content:
        return content
    version = content[VERSION]
    # Pulumi passes a setting as a text.
    if str(version) != str(NEWEST):
        newer = str(version).isdigit() and int(version) > NEWEST
        remedy = "upgrade Slipway" if newer else f"write {NEWEST}, or remove it"
        raise SlipwayError(f"{where()}expected {NEWEST}, which this Slipway reads, got {version!r}; {remedy}")
    return {key: value for key, value in content.items() if key != VERSION}


def members(annotation: Any) -> list[Any]:
    """List the types of a value other than None: `X | None` is `[X]`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [each for arg in get_args(annotation) for each in members(arg)]
    return [] if annotation is type(None) else [annotation]


def is_model(annotation: Any) -> bool:
    """Return whether a type is a model, which has keys."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def at(annotation: Any, loc: Loc) -> list[Any]:
    """List the types at a place; none if there is no such place."""
    if not loc:
        return members(annotation)
    first, rest, found = loc[0], loc[1:], list[Any]()
    several = members(annotation)
    for each in several:
        origin, args = get_origin(each), get_args(each)
        if is_model(each):
            # Among several models pydantic names the one that it tried.
            if len(several) > 1 and first == each.__name__:
                found += at(each, rest)
            elif first in each.model_fields:
                found += at(each.model_fields[str(first)].annotation, rest)
        elif origin is dict:
            found += at(args[1], rest)
        elif origin in (tuple, list) and isinstance(first, int):
            found += at(args[0], rest)
    return found


def model_at(model: type[BaseModel], loc: Loc) -> type[BaseModel] | None:
    """Return the model at a place."""
    return next((each for each in at(model, loc) if is_model(each)), None)


def inner(annotation: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """List the models below a field, each with its path: `[]` in a list, `.<name>` in a mapping."""
    for each in members(annotation):
        origin, args = get_origin(each), get_args(each)
        if is_model(each):
            yield "", each
        elif origin is dict:
            yield from ((f".<name>{path}", model) for path, model in inner(args[1]))
        elif origin in (tuple, list):
            yield from ((f"[]{path}", model) for path, model in inner(args[0]))


def fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """List every dotted key of a document with its field, each after its parent."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}", field
        for path, below in inner(field.annotation):
            yield from fields(below, f"{prefix}{name}{path}.")


def meaning(field: FieldInfo) -> str:
    """Return the meaning of a field: its description, or the first line of its model's docstring."""
    if field.description:
        return field.description
    docs = [model.__dict__.get("__doc__") for _, model in inner(field.annotation)]
    return (docs[0] or "").strip().splitlines()[0] if docs and docs[0] else ""


_WORDS: dict[Any, str] = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}
#: Words for bounds (annotated_types, which pydantic makes of a Field's arguments).
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def values(field: FieldInfo) -> str:
    """Return the values of a field in words, with its bounds."""
    named = [(word, getattr(each, name, None)) for each in field.metadata for name, word in _BOUNDS.items()]
    bounds = [f"{word} {bound}" for word, bound in named if bound is not None]
    return ", ".join([words(field.annotation), *bounds])


def words(annotation: Any) -> str:
    """Return the values of a type in words."""
    found = list[str]()
    for each in members(annotation):
        origin, args = get_origin(each), get_args(each)
        if origin is Literal:
            found += map(str, args)
        elif origin in (tuple, list):
            found.append(f"a list of: {words(args[0])}")
        elif origin is dict or is_model(each):
            found.append("a mapping")
        else:
            found.append(_WORDS.get(each, "a value"))
    return " or ".join(dict.fromkeys(found))
