"""Messages of applications: served predictions and known labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import Field, PlainValidator, TypeAdapter, ValidationError

from slipway import documents
from slipway.documents import Frozen
from slipway.errors import SlipwayError

#: Items of one request at most: reading a thousand predictions of 30 columns blocks other requests for 15 ms.
MAX_ITEMS = 1_000
#: Bytes of one request at most: a thousand predictions of 30 columns take about one million.
MAX_BYTES = 4_000_000
#: Columns of one prediction at most, as each becomes a series for each version.
MAX_COLUMNS = 200
#: Characters of a text at most. Longer ones are documents, whose distribution has no meaning.
MAX_TEXT = 256


def _number_or_text(value: Any) -> bool | int | float | str:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise ValueError(f"expected at most {MAX_TEXT} characters, got {len(value)}; leave such a column out")
        return value
    if isinstance(value, int | float):
        try:
            if math.isfinite(float(value)):
                return value
        except OverflowError:
            pass
        raise ValueError("expected a finite number; a missing value is null")
    raise ValueError(f"expected one number, text or boolean, got a {type(value).__name__}")


def _input(value: Any) -> bool | int | float | str | None:
    return None if value is None else _number_or_text(value)


#: Validated by a function, since a union would report a bad value once for each of its types.
Value = Annotated[bool | int | float | str, PlainValidator(_number_or_text)]
Input = Annotated[bool | int | float | str | None, PlainValidator(_input)]
Id = Annotated[str, Field(min_length=1, max_length=128)]


class Stream(NamedTuple):
    """Version of a model."""

    namespace: str
    model: str
    version: str


class Prediction(Frozen):
    """Served prediction.

    Args:
        namespace: The model's namespace.
        model: Its name, as in `models/<name>.yaml`.
        version: The registry version that answered, as text: the response's `model_version`.
        id: The id for its label; unique among all models, as a UUID.
        inputs: The values by column, null for a missing one; empty without drift detection.
        prediction: The predicted value.
        confidence: The model's own probability of its prediction, 0 to 1, if it has one.
    """

    namespace: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")
    model: str = Field(max_length=63)
    version: str = Field(pattern=r"^[1-9][0-9]{0,8}$")
    id: Id
    inputs: dict[Annotated[str, Field(min_length=1, max_length=128)], Input] = Field(
        default_factory=dict, max_length=MAX_COLUMNS
    )
    prediction: Value
    confidence: float | None = Field(default=None, ge=0, le=1)

    @property
    def stream(self) -> Stream:
        """Version that answered."""
        return Stream(self.namespace, self.model, self.version)


class Label(Frozen):
    """True value of a prediction."""

    id: Id
    label: Value


Message = TypeVar("Message", Prediction, Label)
_PREDICTIONS = TypeAdapter(list[Prediction])
_LABELS = TypeAdapter(list[Label])


def parse_predictions(body: bytes) -> list[Prediction]:
    """Read the body of POST /v1/predictions.

    Raises:
        SlipwayError: The body is not such a list; names the first invalid item and its field.
    """
    return _parse(body, "predictions", Prediction, _PREDICTIONS.validate_json)


def parse_labels(body: bytes) -> list[Label]:
    """Read the body of POST /v1/labels.

    Raises:
        SlipwayError: As `parse_predictions`.
    """
    return _parse(body, "labels", Label, _LABELS.validate_json)


def _parse(text: bytes, what: str, model: type[Message], validate: Callable[[bytes], list[Message]]) -> list[Message]:
    try:
        items = validate(text)
    except ValidationError as error:
        found = documents.problems(error)
        first = found[0]
        if not first["loc"]:
            raise SlipwayError(f"{what}: expected a JSON list of objects ({first['msg']})") from None
        where, field = f"{what}[{first['loc'][0]}]", documents.dotted(first["loc"][1:])
        problem = documents.explain({**first, "loc": first["loc"][1:]}, model)
        where = f"{where}.{field}" if field else where
        raise SlipwayError(f"{where}: {problem}{documents.more(len(found))}") from None
    if len(items) > MAX_ITEMS:
        raise SlipwayError(f"{what}: expected at most {MAX_ITEMS} items, got {len(items)}; send them in parts")
    return items
