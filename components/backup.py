"""Velero in an environment's cluster.

Backup("prod", BackupArgs(objects=compile_backup(settings, context)), ResourceOptions(providers=[provider]))

Its service account `velero/velero` needs to read, write, delete in the bucket, and to make snapshots; on EKS it has a
role for that. docs/operations.md has the drill: a backup that was never restored is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from components import tokens
from components.installing import install


@dataclass(frozen=True, kw_only=True, eq=False)
class BackupArgs:
    """What `Backup` takes.

    Args:
        objects: Compiled by `slipway.platform.backup`.
    """

    objects: tuple[Mapping[str, Any], ...]


class Backup(pulumi.ComponentResource):
    """The server with its definitions, the bucket that it writes to, the schedule by which it does.

    Outputs:
        location: Where backups are, as `s3://<bucket>/<environment>`.
    """

    #: What the program says about it.
    outputs: dict[str, Any]

    def __init__(self, name: str, args: BackupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(tokens.BACKUP, name, None, opts)
        install(self, args.objects)
        (storage,) = (each["spec"] for each in args.objects if each["kind"] == "BackupStorageLocation")
        self.outputs = {"location": "s3://{bucket}/{prefix}".format(**storage["objectStorage"])}
        self.register_outputs(self.outputs)
