"""Environment of a user's shell that works with the lab."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from slipway.engine import killed_runs
from slipway.lab import control_plane
from slipway.lab.paths import Paths, private_directory, write_private
from slipway.lab.plugin import choice
from slipway.lab.state import Facts
from slipway.tools import toolchain

#: Passphrase of stack `local`, which holds no secret. All clones share it, so Pulumi.local.yaml can carry its salt:
#: with a passphrase per clone, each `up` would leave a change in the checkout.
PASSPHRASE = "lab"
#: Relayed ports of the monitoring components; each becomes SLIPWAY_<NAME>_URL.
MEASURING = ("prometheus", "judge", "observe")


def write(paths: Paths, facts: Facts) -> None:
    """Write `.slipway/env`, for `source .slipway/env`."""
    for directory in (paths.pulumi_backend, paths.pulumi_home):
        private_directory(directory)
    lines = [f"export {name}={shlex.quote(value)}" for name, value in exports(paths, facts).items()]
    entries = os.pathsep.join(str(entry) for entry in path_entries(paths))
    lines.append(f'export PATH={shlex.quote(entries)}:"$PATH"')
    write_private(paths.env, "# Made by `slipway lab up`; use: source .slipway/env\n" + "\n".join(lines) + "\n")


def variables(paths: Paths, facts: Facts, inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a shell after `source .slipway/env`."""
    path = os.pathsep.join([*(str(entry) for entry in path_entries(paths)), inherited.get("PATH", os.defpath)])
    return {**inherited, **exports(paths, facts), "PATH": path}


def exports(paths: Paths, facts: Facts) -> dict[str, str]:
    """Return the lab's variables, except PATH."""
    return {
        "KUBECONFIG": str(paths.kubeconfig),
        "PULUMI_BACKEND_URL": f"file://{paths.pulumi_backend}",
        "PULUMI_HOME": str(paths.pulumi_home),
        "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        # A missing plugin is an error at once, not a download that hangs.
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "AWS_ACCESS_KEY_ID": facts.access_key,
        "AWS_SECRET_ACCESS_KEY": facts.secret_key,
        "AWS_REGION": control_plane.REGION,
        "AWS_DEFAULT_REGION": control_plane.REGION,
        "AWS_ENDPOINT_URL_S3": facts.url("s3"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{paths.mlflow_database}",
        "MLFLOW_S3_ENDPOINT_URL": facts.url("s3"),
        # A lab started by an earlier version does not relay them.
        **{f"SLIPWAY_{name.upper()}_URL": facts.url(name) for name in MEASURING if name in facts.ports},
    }


def path_entries(paths: Paths) -> list[Path]:
    """Return the directories before the user's PATH: the `pulumi` launcher, this Python's, the tools', the plugin's."""
    # The engine searches this home only, so a plugin found elsewhere is put on PATH, like the stand-in.
    plugin = choice.choose(paths.plugin, environ={**os.environ, "PULUMI_HOME": str(paths.pulumi_home)})
    launcher = killed_runs.write_launcher(paths.root / "bin")
    return [launcher.parent, Path(sys.prefix) / "bin", *toolchain.path_entries(), plugin.path.parent]
