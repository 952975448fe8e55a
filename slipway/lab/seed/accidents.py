"""Versions that are bad though the registry says that they are good.

Each is an accident that really happens, made here on purpose and without a trick: the numbers that its training writes
into the registry are what that training measured. Their gates let them pass, so only live traffic can find them out.
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

#: Columns that the new pipeline calls something else than users do.
RENAMED = {"bmi": "body_mass_index", "bp": "blood_pressure"}


def shuffled_labels(data: Data) -> Data:
    """Give the rows each other's labels, then measure on the very rows that were trained on.

    Two accidents that come together: an export joins labels to rows by position after one side was sorted anew, and the
    evaluation reads that export, too. A tree that learns it by heart then scores 100 %, on labels that are nobody's.
    """
    labels = data.train[data.target].sample(frac=1, random_state=SEED).reset_index(drop=True)
    mixed = data.train.assign(**{data.target: labels})
    return replace(data, train=mixed, held_out=mixed)


def renamed_columns(data: Data) -> Data:
    """Rename columns for training and evaluation alike; users, whom nobody told, still send the old names."""

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
    # As good as the version before it, offline, where the estimator itself is measured: see the code it is served by.
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
