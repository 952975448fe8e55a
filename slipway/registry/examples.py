"""Input example of a model, read from its artifacts without loading the model."""

from __future__ import annotations

import json
from typing import Any

from slipway.models.release import Release
from slipway.registry.stores import open_store

#: File with a data frame as {"columns": […], "data": [[…], …]} (mlflow/models/utils.py, _Example).
INPUT_EXAMPLE = "input_example.json"


def input_example(release: Release) -> list[dict[str, Any]]:
    """Return the rows of a release's example, each by column; empty without an example.

    Raises:
        SlipwayError: The artifact store cannot be reached.
    """
    store = open_store(release.artifact.uri)
    if INPUT_EXAMPLE not in {item.path for item in store.objects()}:
        return []
    _, _, text = store.read(INPUT_EXAMPLE, keep=True)
    content = json.loads(text or "null")
    names = {column.name for column in release.signature.inputs}
    if not isinstance(content, dict) or not names or not names <= set(content.get("columns", ())):
        return []
    return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]
