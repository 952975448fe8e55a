"""The renderer of an environment's objects to its tree of files."""

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
        SlipwayError: The environment is not delivered by Git, or there is no such working copy.
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
    """Return the changes to an environment's tree, without writing them.

    Args:
        shared: The objects that all models share.
        compiled: The objects of each model.
        observed: The state of each model in the cluster.

    Raises:
        SlipwayError: The tree was edited by hand, or would change a running version.
    """
    files = environment_files(environment.name, shared, compiled)
    outcome = compare(tree_root(project, environment), environment.name, files)
    for each in observed.values():
        refuse_changed_versions(outcome.texts, each)
    return outcome


def refuse_changed_versions(texts: Mapping[str, str], observed: ObservedModel) -> None:
    """Refuse to change a running InferenceService, because Argo CD would restart its servers.

    Raises:
        SlipwayError: The tree has lost the file of a running version.
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
