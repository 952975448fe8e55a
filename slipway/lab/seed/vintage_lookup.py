"""How one demo model is served: through a look-up that its server does not have.

Runs inside the model server, from the model's own artifacts. The table lies where the model was developed, nowhere
else. So each request tries to open it, waits, tries again, then answers without it: right, but late. No processor is
busy meanwhile, and it is as slow on a fast machine.
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
#: Seconds between two tries: 350 ms in all, where the model's users were promised 250.
PAUSES = (0.05, 0.1, 0.2)


class VintageLookup(mlflow.pyfunc.PythonModel):  # type: ignore[misc,name-defined]
    """An estimator with a look-up before it."""

    def load_context(self, context: Any) -> None:
        """Load the estimator."""
        self.estimator = skops.io.load(context.artifacts["estimator"])

    # MLflow reads the annotation; of any other type it would make a schema, or say that it cannot.
    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> Any:
        """Wait for the table, then predict."""
        for pause in PAUSES:
            if TABLE.exists():
                break
            time.sleep(pause)
        return self.estimator.predict(model_input)


mlflow.models.set_model(VintageLookup())
