"""Reference answers of a model, loaded from the registry without a server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slipway.clients.inference import Table
from slipway.errors import SlipwayError
from slipway.lab.seed.registry import connect, quiet


@dataclass(frozen=True)
class Reference:
    """Input example of a model, with the model's own answers to it."""

    example: Table
    answers: list[Any]


def reference(tracking_uri: str, registered_model: str, version: int) -> Reference:
    """Load one version and return its answers to its input example.

    Raises:
        SlipwayError: The version was registered without an input example.
    """
    with quiet():
        connect(tracking_uri)
        import mlflow.pyfunc

        uri = f"models:/{registered_model}/{version}"
        model = mlflow.pyfunc.load_model(uri)
        example = model.input_example
        if example is None:
            raise SlipwayError(f"{uri}: no input example; log the model with `input_example=`")
        answers = model.predict(example)
    columns = model.metadata.signature.inputs.inputs
    table = Table(
        names=tuple(column.name for column in columns),
        types=tuple(column.type.name for column in columns),
        rows=tuple(
            tuple(row) for row in example[[column.name for column in columns]].astype(object).to_numpy().tolist()
        ),
    )
    return Reference(table, answers.ravel().tolist())
