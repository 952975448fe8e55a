"""Serving code of one demo model: a look-up in a table that its server lacks.

Runs inside the model server, from the model's own artifacts. The table exists only where the model was developed. So
each request tries to open it, waits, tries again, then answers without it: correct, but late. The delay takes no
processor time, and is the same on a fast machine.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import mlflow.models
import mlflow.pyfunc
import pandas as pd
import skops.io

TABLE = Path("/home/cellar/tables/vintages.csv")
#: Seconds between two tries: 350 ms in all, above the 250 ms of the model's objective.
PAUSES = (0.05, 0.1, 0.2)


class VintageLookup(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    """Estimator behind a look-up."""

    def load_context(self, context: Any) -> None:
        """Load the estimator."""
        self.estimator = skops.io.load(context.artifacts["estimator"])

    # MLflow reads the annotation; from any other type it would derive a schema, or fail to.
    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """Wait for the table, then predict."""
        for pause in PAUSES:
            if TABLE.exists():
                break
            time.sleep(pause)
        return self.estimator.predict(model_input)


mlflow.models.set_model(VintageLookup())
