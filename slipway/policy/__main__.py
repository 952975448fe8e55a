"""Writer of the policies of `prod` into `policies/`, where the effect of a changed rule is reviewed."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import yaml

from slipway.documents import HEADER, write_text
from slipway.policy.kyverno import policies
from slipway.policy.rules import rules
from slipway.settings.policies import PoliciesSettings
from slipway.settings.stack_file import read_environment

#: The strictest stack.
STACK = "prod"


def files(project: Path) -> dict[str, str]:
    """Return the text of each file by its name: the two installed policies of a rule."""
    environment = read_environment(project, STACK)
    settings = environment.platform.policies or PoliciesSettings()
    installed = policies(rules(settings, environment), settings.exempt_namespaces)
    return {
        f"{name.removeprefix('slipway-')}.yaml": HEADER
        + yaml.dump_all(twins, Dumper=yaml.CSafeDumper, sort_keys=False, width=120, allow_unicode=True)
        for name, twins in groupby(installed, lambda each: each["metadata"]["name"].rpartition("-")[0])
    }


def main() -> None:
    """Write the files below the working directory."""
    for name, text in files(Path()).items():
        write_text(Path("policies") / name, text)


if __name__ == "__main__":
    main()
