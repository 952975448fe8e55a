"""Model versions that are bad although their metrics in the registry are good.

Each repeats a common accident without a trick: the metrics in the registry are those that its training measured. The
versions pass their gates, so only live traffic reveals the defect.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from slipway.lab.seed.recipes import SEED, TREE, Data, Recipe

if TYPE_CHECKING:
    import pandas as pd

#: Columns that the new pipeline names differently from the users' requests.
RENAMED = {"bmi": "body_mass_index", "bp": "blood_pressure"}


def shuffled_labels(data: Data) -> Data:
    """Shuffle the labels among the rows, then measure on the rows of the training.

    Two accidents at once: an export joins labels to rows by position after one side was sorted again, and the
    evaluation reads that export too. A tree that memorises it then scores 100 %, on wrong labels.
    """
    labels = data.train[data.target].sample(frac=1, random_state=SEED).reset_index(drop=True)
    mixed = data.train.assign(**{data.target: labels})
    return replace(data, train=mixed, held_out=mixed)


def renamed_columns(data: Data) -> Data:
    """Rename columns for training and evaluation; users still send the old names."""

    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.rename(columns=RENAMED)

    return replace(data, train=renamed(data.train), held_out=renamed(data.held_out))


#: One accident for each model.
ACCIDENTS: Mapping[str, Recipe] = {
    "breast-cancer": Recipe(
        "decision tree on relabelled rows",
        lambda: DecisionTreeClassifier(random_state=SEED),
        (TREE,),
        prepare=shuffled_labels,
    ),
    # Offline, where the estimator itself is measured, it is as good as the version before: the serving code is slow.
    "wine-cultivar": Recipe(
        "logistic regression behind a look-up of the vintage",
        lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.5)),
        code=Path(__file__).with_name("vintage_lookup.py"),
    ),
    "diabetes-progression": Recipe(
        "ridge regression on renamed measures",
        lambda: make_pipeline(StandardScaler(), Ridge()),
        prepare=renamed_columns,
    ),
}
