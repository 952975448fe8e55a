"""Reader of a stack's settings from Pulumi's files, for programs that Pulumi does not run."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from slipway.documents import display
from slipway.errors import SlipwayError, at
from slipway.settings.environment import Environment

#: The project's name, which is the prefix of its settings.
PREFIX = "slipway:"
#: The order of promotion of a release.
ORDER = ("local", "dev", "staging", "prod")


def read_environment(project: Path, stack: str) -> Environment:
    """Read `Pulumi.<stack>.yaml` over the defaults of `Pulumi.yaml`.

    Raises:
        SlipwayError: There is no such stack, or its settings do not fit.
    """
    file = project / f"Pulumi.{stack}.yaml"
    if not file.is_file():
        known = ", ".join(stacks(project)) or "none"
        raise SlipwayError(f"{at(display(file))}no such file; the stacks of this project are {known}")
    own = _config(file)
    refuse_namespaces(own, display(file))
    refuse_secrets((key for key, value in own.items() if _encrypted(value)), display(file))
    schema = _config(project / "Pulumi.yaml")
    defaults = {key: entry["default"] for key, entry in schema.items() if key.startswith(PREFIX) and "default" in entry}
    settings = {key: value for key, value in own.items() if key.startswith(PREFIX)}
    merged = {key.removeprefix(PREFIX): value for key, value in {**defaults, **settings}.items()}
    return Environment.parse(stack, merged, display(file))


def stacks(project: Path) -> list[str]:
    """List the stacks of a project by the names of their files, the lab's first, then in the order of promotion."""
    found = sorted(path.name.split(".")[1] for path in project.glob("Pulumi.*.yaml"))
    return sorted(found, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))


def refuse_namespaces(keys: Iterable[str], source: str) -> None:
    """Refuse a setting of a provider: nothing reads it, since all providers of the program are explicit.

    Raises:
        SlipwayError: Names the key.
    """
    for key in keys:
        namespace, _, name = key.rpartition(":")
        if f"{namespace}:" not in (PREFIX, "pulumi:"):
            raise SlipwayError(f"{at(source)}{key}: nothing reads it; expected {PREFIX}{name}")


def refuse_secrets(keys: Iterable[str], source: str) -> None:
    """Refuse an encrypted setting: decrypted, it would be in outputs, objects and the state.

    Raises:
        SlipwayError: Names the key.
    """
    for key in keys:
        raise SlipwayError(
            f"{at(source)}{key}: encrypted; keep the secret in the cluster's secret store, and name it here"
        )


def _encrypted(value: Any) -> bool:
    """Return whether a setting holds a secret of Pulumi."""
    if isinstance(value, dict):
        return "secure" in value or any(map(_encrypted, value.values()))
    return isinstance(value, list) and any(map(_encrypted, value))


def _config(file: Path) -> dict[str, Any]:
    try:
        content = yaml.load(file.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (OSError, yaml.YAMLError) as error:
        raise SlipwayError(f"{at(display(file))}cannot be read ({str(error).splitlines()[0]})") from None
    return dict((content or {}).get("config") or {})
