"""The settings of a stack, read from Pulumi's own files by programs that are not run by Pulumi."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from slipway.documents import display
from slipway.environment import Environment
from slipway.errors import SlipwayError, at

#: The project's name, which is the prefix of its settings.
PREFIX = "slipway:"


def read_environment(project: Path, stack: str) -> Environment:
    """Read `Pulumi.<stack>.yaml` over the defaults of `Pulumi.yaml`.

    Raises:
        SlipwayError: There is no such stack, or its settings do not fit.
    """
    file = project / f"Pulumi.{stack}.yaml"
    if not file.is_file():
        known = ", ".join(sorted(path.name.split(".")[1] for path in project.glob("Pulumi.*.yaml"))) or "none"
        raise SlipwayError(f"{at(display(file))}no such file; the stacks of this project are {known}")
    schema = _config(project / "Pulumi.yaml")
    defaults = {key: entry["default"] for key, entry in schema.items() if key.startswith(PREFIX) and "default" in entry}
    settings = {key: value for key, value in _config(file).items() if key.startswith(PREFIX)}
    merged = {key.removeprefix(PREFIX): value for key, value in {**defaults, **settings}.items()}
    return Environment.parse(stack, merged, display(file))


def _config(file: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise SlipwayError(f"{at(display(file))}cannot be read ({str(error).splitlines()[0]})") from None
    return dict((content or {}).get("config") or {})
