"""Velero in an environment's cluster.

Backup("prod", SystemArgs(objects=compile_backup(settings, context)), ResourceOptions(providers=[provider]))

Its service account `velero/velero` needs to read, write, delete in the bucket, and to make snapshots; on EKS it has a
role for that. docs/operations.md has the drill: a backup that was never restored is none.
"""

from __future__ import annotations

from typing import Any

from components import tokens
from components.system import Objects, System


class Backup(System):
    """The server with its definitions, the bucket that it writes to, the schedule by which it does.

    Outputs:
        location: Where backups are, as `s3://<bucket>/<environment>`.
    """

    TOKEN = tokens.BACKUP

    @staticmethod
    def describe(objects: Objects) -> dict[str, Any]:
        (storage,) = (each["spec"] for each in objects if each["kind"] == "BackupStorageLocation")
        return {"location": "s3://{bucket}/{prefix}".format(**storage["objectStorage"])}
