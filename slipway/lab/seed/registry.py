"""Seeding of an MLflow registry with the demo models.

A version is registered by the last call of its training: an interrupted training leaves only an unreferenced run, so a
second run goes on with the first missing version.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.errors import ExitCode, SlipwayError
from slipway.lab.bucket import make_bucket
from slipway.lab.seed.recipes import DEMO_MODELS, Data, DemoModel, Recipe, content_digest, split
from slipway.progress import step

if TYPE_CHECKING:
    from mlflow import MlflowClient

#: Bucket of the demo registry's artifacts, on the store that MLFLOW_S3_ENDPOINT_URL names.
BUCKET = "mlflow"
#: Requirements of a model at run time. Without them MLflow takes five seconds a model to infer them.
REQUIREMENTS = ("mlflow", "scikit-learn", "skops", "pandas", "numpy")
#: Seconds for opening a new SQLite registry (import of MLflow, all of its migrations), measured on two cores.
OPEN_SECONDS = 10


@dataclass(frozen=True)
class Seeded:
    """Result of a run of the seed: versions added and versions in the registry."""

    added: int
    total: int


def seed_registry(tracking_uri: str, git_commit: str, models: Sequence[DemoModel] = DEMO_MODELS) -> Seeded:
    """Train the missing versions; a second run adds nothing.

    Args:
        tracking_uri: The registry, as `sqlite:////home/me/slipway/.slipway/mlflow.db`.
        git_commit: The commit whose code trains the models; becomes the run tag `git_commit`.
    """
    with step("open the model registry", OPEN_SECONDS), quiet():
        client = connect(tracking_uri)
    added = 0
    with quiet():
        make_bucket(BUCKET, endpoint_url=os.environ.get("MLFLOW_S3_ENDPOINT_URL"))
        for model in models:
            added += _seed_model(client, model, git_commit)
    return Seeded(added, sum(len(model.recipes) for model in models))


def register(tracking_uri: str, git_commit: str, model: DemoModel, recipe: Recipe) -> int:
    """Train and register one more version of a registered model; return its number, also if it existed before."""
    with quiet():
        client = connect(tracking_uri)
        known = _versions(client, model).get(recipe.title)
        return known if known is not None else _train(client, model, recipe, git_commit)


def head_commit(checkout: Path) -> str:
    """Return the current commit of a checkout, to which models are traced."""
    command = ["git", "-C", str(checkout), "rev-parse", "--verify", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise SlipwayError(
            "git: not on PATH; the demo tags its models with a commit; install git", ExitCode.MACHINE
        ) from None
    if answer.returncode:
        reason = answer.stderr.strip().splitlines()[-1:] or ["no answer"]
        raise SlipwayError(
            f"{checkout}: no commit to tag the models with ({reason[0]}); run from a clone of the repository"
        )
    return answer.stdout.strip()


def connect(tracking_uri: str) -> MlflowClient:
    """Open a registry; a SQLite one is made if it does not exist."""
    import mlflow

    # A `models:/m-…` source is resolved through the global URI, not through the client's.
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_registry_uri(tracking_uri)
    client = mlflow.MlflowClient(tracking_uri, tracking_uri)
    client.search_registered_models(max_results=1)
    return client


def _seed_model(client: MlflowClient, model: DemoModel, git_commit: str) -> int:
    """Add the versions of one model that the registry lacks; return their number."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model.name, description=model.description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    present = _versions(client, model)
    missing = [recipe for recipe in model.recipes if recipe.title not in present]
    for recipe in missing:
        version = _train(client, model, recipe, git_commit)
        # An alias that a user has moved since stays.
        if recipe.alias and recipe.alias not in client.get_registered_model(model.name).aliases:
            client.set_registered_model_alias(model.name, recipe.alias, str(version))
    return len(missing)


def _versions(client: MlflowClient, model: DemoModel) -> dict[str, int]:
    """Return the number of each recipe's version; the newest, if it was registered twice."""
    found = client.search_model_versions(f"name = '{model.name}'", max_results=1000)
    numbers = sorted((int(version.version), version.tags.get("recipe", "")) for version in found)
    return {recipe: number for number, recipe in numbers}


def _train(client: MlflowClient, model: DemoModel, recipe: Recipe, git_commit: str) -> int:
    """Fit, measure and register one version; return its number."""
    with step(f"train {model.name}: {recipe.title}"):
        return _logged(client, model, recipe, recipe.prepare(split(model)), git_commit)


def _logged(client: MlflowClient, model: DemoModel, recipe: Recipe, data: Data, git_commit: str) -> int:
    import mlflow

    features, truth = data.train.drop(columns=[data.target]), data.train[data.target]
    estimator = recipe.build().fit(features, truth)
    unseen = data.held_out.drop(columns=[data.target])
    tags = {"git_commit": git_commit, "dataset_sha256": content_digest(data.train), "recipe": recipe.title}
    with mlflow.start_run(experiment_id=_experiment(client, model.name), run_name=recipe.title, tags=tags) as run:
        source = f"scikit-learn {metadata.version('scikit-learn')}"
        training = _dataset(data.train, f"{model.name}-training", source, data.target)
        held_out = _dataset(data.held_out, f"{model.name}-held-out", source, data.target)
        mlflow.log_input(training, context="training")
        mlflow.log_input(held_out, context="evaluation")
        mlflow.log_params({"recipe": recipe.title, "rows": len(features)})
        described = {
            "name": "model",
            "input_example": data.example,
            "signature": mlflow.models.infer_signature(unseen, estimator.predict(unseen)),
            "pip_requirements": [f"{name}=={metadata.version(name)}" for name in REQUIREMENTS],
        }
        if recipe.code is None:
            trusted = list(recipe.trusted_types)
            logged = mlflow.sklearn.log_model(estimator, skops_trusted_types=trusted, **described)
        else:
            logged = _log_code(recipe.code, estimator, described)
        scores = dict(model.score(data.held_out[data.target], estimator.predict(unseen)))
        mlflow.log_metrics(scores, dataset=held_out, model_id=logged.model_id)
    version = client.create_model_version(
        model.name,
        source=f"models:/{logged.model_id}",
        run_id=run.info.run_id,
        description=recipe.title,
        tags={"git_commit": git_commit, "recipe": recipe.title},
    )
    return int(version.version)


def _log_code(code: Path, estimator: Any, described: dict[str, Any]) -> Any:
    """Log a model that is Python code, with the estimator as the artifact that the code loads."""
    import mlflow
    import skops.io

    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "estimator.skops"
        skops.io.dump(estimator, file)
        return mlflow.pyfunc.log_model(python_model=str(code), artifacts={"estimator": str(file)}, **described)


def _experiment(client: MlflowClient, name: str) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name, f"s3://{BUCKET}/{name}"))


def _dataset(frame: Any, name: str, source: str, target: str) -> Any:
    from mlflow.data.pandas_dataset import from_pandas

    return from_pandas(frame, source=source, name=name, targets=target)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep MLflow's log lines out of the progress lines; its errors are still exceptions."""
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import mlflow  # noqa: F401  its import sets the levels that this function changes

    loggers = [logging.getLogger(name) for name in ("mlflow", "alembic")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
