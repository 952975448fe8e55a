"""YAML documents with a typed model.

Errors name the file, the line and the nearest valid key. The program writes one canonical form: equal content is equal
bytes.
"""

from __future__ import annotations

import difflib
import fcntl
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from yaml.constructor import ConstructorError

from slipway import schema
from slipway.errors import SlipwayError, at

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

HEADER = "# Written by slipway; do not edit.\n"
_TEXT, _SEQUENCE, _MAPPING = (f"tag:yaml.org,2002:{kind}" for kind in ("str", "seq", "map"))


class Frozen(BaseModel):
    """Base of immutable data without unknown keys and without conversion of types."""

    # Built when first used: a stack without LLMs does not pay for their models.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)
    #: Whether the program is the only writer of such a document.
    written_by_slipway: ClassVar[bool] = False


Model = TypeVar("Model", bound=Frozen)
Key = TypeVar("Key", str, int)
Value = TypeVar("Value")


def _by_key(value: dict[Key, Value]) -> dict[Key, Value]:
    return dict(sorted(value.items()))


#: A dictionary in the order of its keys.
Sorted = Annotated[dict[Key, Value], AfterValidator(_by_key)]


class _Loader(yaml.CSafeLoader):
    """The safe loader, but it refuses a repeated key and makes tuples of lists, as frozen models need.

    PyYAML's own construction makes a generator for each mapping and looks up a function for each scalar, which took a
    seventh of the time of planning a thousand models.
    """

    def construct_document(self, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.tag == _TEXT else self.construct_object(node)
        if isinstance(node, yaml.SequenceNode) and node.tag == _SEQUENCE:
            return tuple(map(self.construct_document, node.value))
        if isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
            return self._mapping(node)
        return frozen(self.construct_object(node, deep=True))

    def _mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise ConstructorError(None, None, "expected a text or a number as the key", key.start_mark)
            if key.value in seen:
                raise ConstructorError(None, None, f"duplicate key {key.value!r}", key.start_mark)
            seen.add(key.value)
        self.flatten_mapping(node)
        return {self.construct_document(key): self.construct_document(value) for key, value in node.value}


def read(path: Path, model: type[Model]) -> Model:
    """Read one document.

    Raises:
        SlipwayError: The file cannot be read, is not YAML, or does not fit the model.
    """
    text = _text(path)
    try:
        content = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else None
        raise SlipwayError(f"{at(display(path), line)}malformed YAML: {error.problem or error.context}") from None
    except RecursionError:
        reason = "nested too deeply, or an alias within its own anchor"
        raise SlipwayError(f"{at(display(path))}malformed YAML: {reason}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise SlipwayError(f"{at(display(path))}malformed YAML: {str(error).splitlines()[0]}") from None
    if content is None:
        raise SlipwayError(f"{at(display(path))}empty; expected {_keys(model)}")
    content = schema.unversioned(content, lambda: at(display(path), line_of(path, schema.VERSION), schema.VERSION))
    try:
        return model.model_validate(content)
    except ValidationError as error:
        root = yaml.compose(text, Loader=yaml.CSafeLoader)
        found = problems(error)
        first = min(found, key=lambda each: (each["type"] == "missing", _line(root, each["loc"])))
        where = at(display(path), _line(root, first["loc"]), dotted(first["loc"]))
        raise SlipwayError(f"{where}{explain(first, model)}{more(len(found))}") from None


def line_of(path: Path, *loc: int | str) -> int | None:
    """Return the line of a field in a document, for messages about a document that was read before."""
    try:
        return _line(yaml.compose(path.read_text(), Loader=yaml.CSafeLoader), loc)
    except (OSError, yaml.YAMLError):
        return None


def dump(model: Frozen) -> str:
    """Return the canonical text: fields in order, without defaults; the program's own documents have a version."""
    version = {schema.VERSION: schema.NEWEST} if model.written_by_slipway else {}
    # Without defaults a document stays the same when its type gets an optional field.
    content = {**version, **model.model_dump(exclude_defaults=True)}
    text = yaml.dump(_plain(content), Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=10_000)
    return (HEADER if model.written_by_slipway else "") + str(text)


def write(path: Path, model: Frozen) -> None:
    """Write one document atomically."""
    write_text(path, dump(model))


def write_text(path: Path, text: str) -> None:
    """Write a file atomically, through a temporary one beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


@contextmanager
def alone(directory: Path) -> Iterator[None]:
    """Hold the lock of a directory; other processes that lock it wait."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def display(path: Path) -> str:
    """Return a file's name for messages: relative to the project or the working directory if it is inside."""
    absolute = Path(os.path.abspath(path))
    for base in (os.environ.get("SLIPWAY_PROJECT"), os.getcwd()):
        if base and absolute.is_relative_to(os.path.abspath(base)):
            return str(absolute.relative_to(os.path.abspath(base)))
    return str(path)


def frozen(content: Any) -> Any:
    """Return content with tuples for lists, as frozen models need."""
    if isinstance(content, dict):
        return {key: frozen(value) for key, value in content.items()}
    return tuple(frozen(item) for item in content) if isinstance(content, list) else content


def dotted(loc: Sequence[int | str]) -> str:
    """Return the place of a field, such as `gates[0].metric`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc if part != "[key]").lstrip(".")


def problems(error: ValidationError) -> list[ErrorDetails]:
    """List pydantic's errors; missing keys last, since most are misspelt."""
    return sorted(error.errors(include_url=False), key=lambda each: each["type"] == "missing")


def more(count: int) -> str:
    """Return the number of problems that a message leaves out, as its suffix."""
    return f" (+{count - 1} more)" if count > 1 else ""


def nearest(word: str, known: Sequence[str]) -> str | None:
    """Return the known word that a typing error most likely meant."""
    return next(iter(difflib.get_close_matches(word, known, n=1)), None)


def explain(error: ErrorDetails, model: type[BaseModel]) -> str:
    """Return in words the error of one field, with the expected value."""
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return f"unknown key; {_valid_key(str(error['loc'][-1]), error['loc'][:-1], model)}"
    if kind == "missing":
        return f"missing; expected {_expected_at(model, error['loc'])}"
    if kind == "value_error":
        return str(context["error"])
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind].format(**context)}, got {_shown(error['input'])}"
    return f"{error['msg'][:1].lower()}{error['msg'][1:]}, got {_shown(error['input'])}"


#: Words for pydantic's error types (docs.pydantic.dev, "Validation Errors").
_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a text (put it in quotes)",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "literal_error": "{expected}",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "string_too_short": "a text that is not empty",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "too_short": "at least {min_length} entries",
}


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        raise SlipwayError(f"{at(display(path))}no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SlipwayError(f"{at(display(path))}cannot be read ({error})") from None


def _keys(model: type[BaseModel]) -> str:
    return f"a mapping with the keys {_list(list(model.model_fields))}"


def _list(words: Sequence[str]) -> str:
    return ", ".join(repr(word) for word in words)


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, tuple | list):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _expected_at(model: type[BaseModel], loc: Sequence[int | str]) -> str:
    found = schema.model_at(model, loc)
    return _keys(found) if found else " or ".join(map(schema.words, schema.at(model, loc))) or "a value"


def _valid_key(word: str, loc: Sequence[int | str], model: type[BaseModel]) -> str:
    """Return a hint for an unknown key: the nearest one beside it, or one of that name elsewhere."""
    known = list((schema.model_at(model, loc) or model).model_fields)
    if near := nearest(word, known):
        return f"nearest valid key is {near!r}"
    elsewhere = [key for key, _ in schema.fields(model) if key.rpartition(".")[2] == word]
    return f"it belongs to {' or '.join(elsewhere)}" if elsewhere else f"valid keys are {_list(known)}"


def _line(root: Any, loc: Sequence[int | str]) -> int:
    """Return the line of the field at `loc`, or of the last part of `loc` that the document has."""
    node, line = root, 1
    for part in loc:
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == str(part)), None)
            if entry is None:
                break
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _plain(content: Any) -> Any:
    """Return content with lists for tuples, as YAML needs."""
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    return [_plain(item) for item in content] if isinstance(content, tuple | list) else content
