"""From the objects of an environment to its tree of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from slipway import names
from slipway.compile import CompiledModel
from slipway.documents import display
from slipway.errors import SlipwayError
from slipway.gitops.tree import environment_files
from slipway.gitops.writer import Outcome, compare
from slipway.objects import Object
from slipway.rollout.observed import ObservedModel
from slipway.settings.environment import Environment


def tree_root(project: Path, environment: Environment) -> Path:
    """Return the directory of all environments' trees, in the working copy of their repository.

    Raises:
        SlipwayError: The environment is delivered otherwise, or there is no such working copy.
    """
    where, gitops = f"Pulumi.{environment.name}.yaml: slipway:", environment.gitops
    if environment.delivery != "gitops" or gitops is None:
        raise SlipwayError(f"{where}delivery: {environment.delivery}: there is no tree to write; `slipway up` applies")
    checkout = project / Path(gitops.checkout).expanduser()
    if not checkout.is_dir():
        raise SlipwayError(f"{where}gitops.checkout: no such directory {display(checkout)}; clone {gitops.repository}")
    return checkout / gitops.directory


def render(
    project: Path,
    environment: Environment,
    shared: Iterable[Object],
    compiled: Mapping[str, CompiledModel],
    observed: Mapping[str, ObservedModel],
) -> Outcome:
    """Return what the tree of an environment becomes; nothing is written yet.

    Args:
        project: The checkout.
        environment: Its settings.
        shared: The objects that all models share.
        compiled: The objects of each model.
        observed: What the cluster shows of each model.

    Raises:
        SlipwayError: The tree is not as it was written, or it would change a version that runs.
    """
    files = environment_files(environment.name, shared, compiled)
    outcome = compare(tree_root(project, environment), environment.name, files)
    for each in observed.values():
        refuse_changed_versions(outcome.texts, each)
    return outcome


def refuse_changed_versions(texts: Mapping[str, str], observed: ObservedModel) -> None:
    """Keep Argo CD from changing an InferenceService that runs, which would restart its servers under users.

    Raises:
        SlipwayError: The tree has lost the file that it was made from.
    """
    for path, text in texts.items():
        name = path.rpartition("-inferenceservice-")[2].removesuffix(".yaml")
        if (runs := observed.services.get(name)) is None:
            continue
        digest = yaml.safe_load(text)["metadata"]["annotations"][names.SERVING_DIGEST]
        if digest != runs.serving_digest:
            raise SlipwayError(
                f"{path}: {name} runs with other serving settings ({runs.serving_digest or 'unknown'}); a version never"
                " changes: restore the file from Git's history, or register a new version"
            )
