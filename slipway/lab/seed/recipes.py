"""Recipes of the demo registry: real models of scikit-learn's own data sets.

Every model has three versions of rising quality, so that an alias can move; the first one fails the gates of its
`models/<name>.yaml` on purpose. Everything random is seeded: two machines train the same models.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sklearn import datasets, metrics
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

if TYPE_CHECKING:
    import pandas as pd

#: Any fixed number: it makes splits and trees repeatable.
SEED = 7
#: Share of the rows that are held out from training.
HELD_OUT = 0.3
#: Rows of an input example at most; more than one, so that a server that mixes up rows is detected.
EXAMPLE_ROWS = 3

#: Types that skops does not trust by default although they are scikit-learn's own compiled parts.
TREE = "sklearn.tree._tree.Tree"
NEIGHBOURS = ("sklearn.metrics._dist_metrics.EuclideanDistance64", "sklearn.neighbors._kd_tree.KDTree")


@dataclass(frozen=True)
class Recipe:
    """Recipe of one version of one model.

    Args:
        build: Function that returns the unfitted estimator.
        trusted_types: Types inside it that skops loads only when they are named.
        alias: The alias that a new registry gives this version.
        prepare: Change to the model's rows before this version is trained and measured with them.
        code: Python file through which the estimator is served (MLflow's "models from code"); None: served directly.
    """

    title: str
    build: Callable[[], Any]
    trusted_types: tuple[str, ...] = ()
    alias: str | None = None
    prepare: Callable[[Data], Data] = lambda data: data
    code: Path | None = None


@dataclass(frozen=True)
class DemoModel:
    """Registered model: its data, its versions and its metrics."""

    name: str
    description: str
    load: Callable[[], pd.DataFrame]
    target: str
    score: Callable[[Any, Any], Mapping[str, float]]
    stratified: bool
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True)
class Data:
    """Rows of one model, split for training."""

    train: pd.DataFrame
    held_out: pd.DataFrame
    target: str

    @property
    def example(self) -> pd.DataFrame:
        """Held-out rows with different labels: the model's input example."""
        rows = self.held_out.drop_duplicates(subset=[self.target]).head(EXAMPLE_ROWS)
        return rows.drop(columns=[self.target]).reset_index(drop=True)


def split(model: DemoModel) -> Data:
    """Load the rows of a model, with the same split every time."""
    frame = model.load()
    strata = frame[model.target] if model.stratified else None
    train, held_out = train_test_split(frame, test_size=HELD_OUT, random_state=SEED, stratify=strata)
    return Data(train.reset_index(drop=True), held_out.reset_index(drop=True), model.target)


def content_digest(frame: pd.DataFrame) -> str:
    """Return the sha256 of the rows themselves: MLflow's own dataset digest samples them and keeps 32 bits."""
    rows = frame.to_csv(index=False, float_format="%.17g", lineterminator="\n")
    return hashlib.sha256(rows.encode()).hexdigest()


def _classification(truth: Any, predicted: Any) -> dict[str, float]:
    return {
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "f1_macro": float(metrics.f1_score(truth, predicted, average="macro")),
        "recall_macro": float(metrics.recall_score(truth, predicted, average="macro")),
    }


def _regression(truth: Any, predicted: Any) -> dict[str, float]:
    return {
        "r2": float(metrics.r2_score(truth, predicted)),
        "mae": float(metrics.mean_absolute_error(truth, predicted)),
        "rmse": float(metrics.root_mean_squared_error(truth, predicted)),
    }


def _frame(load: Callable[..., Any], target: str, **options: Any) -> Callable[[], pd.DataFrame]:
    def read() -> pd.DataFrame:
        frame: pd.DataFrame = load(as_frame=True, **options).frame
        # Column names become the names of a request's inputs: no blanks, no slashes.
        tidy = frame.rename(columns=lambda name: name.replace(" ", "_").replace("/", "_to_"))
        features = tidy.drop(columns=["target"]).astype("float64")
        return features.assign(**{target: tidy["target"]})

    return read


DEMO_MODELS: tuple[DemoModel, ...] = (
    DemoModel(
        name="breast-cancer",
        description="Is a tumour benign (1) or malignant (0), from 30 measures of its cell nuclei.",
        load=_frame(datasets.load_breast_cancer, "benign"),
        target="benign",
        score=_classification,
        stratified=True,
        recipes=(
            Recipe("decision tree of depth 3", lambda: DecisionTreeClassifier(max_depth=3, random_state=SEED), (TREE,)),
            Recipe(
                "40 boosted trees",
                lambda: GradientBoostingClassifier(n_estimators=40, random_state=SEED),
                (TREE,),
                "champion",
            ),
            Recipe(
                "logistic regression on standardised measures",
                lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.5)),
                alias="challenger",
            ),
        ),
    ),
    DemoModel(
        name="diabetes-progression",
        description="How far diabetes has progressed a year after the ten base-line measures were taken.",
        load=_frame(datasets.load_diabetes, "progression", scaled=False),
        target="progression",
        score=_regression,
        stratified=False,
        recipes=(
            Recipe("mean of the 5 nearest patients", KNeighborsRegressor, NEIGHBOURS),
            Recipe(
                "60 boosted trees",
                lambda: GradientBoostingRegressor(n_estimators=60, learning_rate=0.05, max_depth=2, random_state=SEED),
                (TREE,),
                "champion",
            ),
            Recipe(
                "ridge regression on standardised measures",
                lambda: make_pipeline(StandardScaler(), Ridge()),
                alias="challenger",
            ),
        ),
    ),
    DemoModel(
        name="wine-cultivar",
        description="Which of three cultivars (0, 1, 2) a wine is made from, from 13 chemical measures.",
        load=_frame(datasets.load_wine, "cultivar"),
        target="cultivar",
        score=_classification,
        stratified=True,
        recipes=(
            Recipe("decision tree of depth 2", lambda: DecisionTreeClassifier(max_depth=2, random_state=SEED), (TREE,)),
            Recipe(
                "vote of the 5 nearest wines",
                lambda: make_pipeline(StandardScaler(), KNeighborsClassifier()),
                NEIGHBOURS,
                "champion",
            ),
            Recipe(
                "logistic regression on standardised measures",
                lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.5)),
                alias="challenger",
            ),
        ),
    ),
)
