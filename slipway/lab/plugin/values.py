"""Conversion between Pulumi's wire values and Python objects.

The wire form is `google.protobuf.Struct` with two conventions: an unknown is a fixed string, and a secret is a struct
with a fixed signature key (pulumi/pulumi: sdk/go/common/resource/{properties,plugin/rpc}.go).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value

from slipway.objects import Object

UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
SIGNATURE_KEY = "4dabf18193072939515e22adb298388d"
SECRET_SIGNATURE = "1b47061264138c4ac30d75fd1eb44270"
_UNKNOWN_BYTES = UNKNOWN_TEXT.encode()

#: Python SDKs cannot name a property `x-kubernetes-…`, so Pulumi's state holds it with underscores.
_DASHED, _UNDERSCORED = "x-kubernetes-", "x_kubernetes_"


@dataclass(slots=True)
class Secret:
    """Value whose plain text must not be shown."""

    value: Any = field(repr=False)


#: Value that is known only in a real run.
UNKNOWN: Any = object()


def has_unknowns(struct: Struct) -> bool:
    """Return whether any value inside is unknown; a search of the bytes is far cheaper than a walk."""
    return _UNKNOWN_BYTES in struct.SerializeToString()


def to_python(struct: Struct) -> Object:
    """Return the object, with secrets as `Secret`, unknowns as `UNKNOWN`."""
    return {_dashed(key): _value(value) for key, value in struct.fields.items()}


def to_struct(obj: Object, into: Struct | None = None) -> Struct:
    """Return the wire form of an object."""
    struct = Struct() if into is None else into
    for key, value in obj.items():
        _fill(struct.fields[_underscored(key)], value)
    return struct


def plain(value: Any) -> Any:
    """Return the value without its secret marks."""
    if isinstance(value, Secret):
        return plain(value.value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def contains_secret(value: Any) -> bool:
    """Return whether the value or a part of it is marked as secret."""
    if isinstance(value, dict):
        return any(contains_secret(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_secret(item) for item in value)
    return isinstance(value, Secret)


def marked(outputs: Object, inputs: Object) -> Object:
    """Return outputs with the inputs' secret marks at the same places.

    A mark inside a list marks the whole list, since the server may reorder or add items. The data of a Secret are
    always marked.
    """
    if outputs.get("kind") == "Secret":
        return {
            k: Secret(v) if k in ("data", "stringData") and v.__class__ is not Secret else v for k, v in outputs.items()
        }
    return {key: _marked(value, inputs[key]) if key in inputs else value for key, value in outputs.items()}


def _marked(value: Any, given: Any) -> Any:
    if isinstance(value, dict) and isinstance(given, dict):
        return marked(value, given)
    return Secret(value) if contains_secret(given) and not isinstance(value, Secret) else value


def _value(value: Value) -> Any:
    return _READERS[value.WhichOneof("kind")](value)


def _number(value: Value) -> int | float:
    number = value.number_value
    return int(number) if number.is_integer() else number


def _text(value: Value) -> Any:
    text = value.string_value
    return UNKNOWN if text == UNKNOWN_TEXT else text


def _struct(value: Value) -> Any:
    fields = value.struct_value.fields
    if SIGNATURE_KEY in fields:
        # Other signatures (assets, resource references, outputs) have no use in Kubernetes.
        return Secret(_value(fields["value"])) if fields[SIGNATURE_KEY].string_value == SECRET_SIGNATURE else UNKNOWN
    return {_dashed(key): _value(item) for key, item in fields.items()}


#: Reader of each kind of `Value`; an unset one (None) is a null.
_READERS: dict[str | None, Callable[[Value], Any]] = {
    "number_value": _number,
    "string_value": _text,
    "struct_value": _struct,
    "bool_value": lambda value: value.bool_value,
    "list_value": lambda value: [_value(item) for item in value.list_value.values],
    "null_value": lambda value: None,
    None: lambda value: None,
}


def _fill(target: Value, value: Any) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, dict):
        # Touching the message sets it, so that an empty object does not become a null.
        target.struct_value.SetInParent()
        to_struct(value, target.struct_value)
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, list):
        target.list_value.SetInParent()
        for item in value:
            _fill(target.list_value.values.add(), item)
    elif isinstance(value, Secret):
        fields = target.struct_value.fields
        fields[SIGNATURE_KEY].string_value = SECRET_SIGNATURE
        _fill(fields["value"], value.value)
    elif value is None:
        target.null_value = NULL_VALUE
    else:
        target.string_value = UNKNOWN_TEXT


def _dashed(key: str) -> str:
    return _DASHED + key[len(_UNDERSCORED) :].replace("_", "-") if key.startswith(_UNDERSCORED) else key


def _underscored(key: str) -> str:
    return key.replace("-", "_") if key.startswith(_DASHED) else key
