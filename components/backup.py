"""Velero in an environment's cluster.

Its service account `velero/velero` needs to read, write, delete in the bucket, and to make snapshots; on EKS it has a
role for that. docs/operations.md has the drill: a backup that was never restored is none.
"""

from components.system import Objects, Outputs, System


class Backup(System):
    """The server with its definitions, the bucket that it writes to, the schedule by which it does.

    Outputs:
        location: Where backups are, as `s3://<bucket>/<environment>`.
    """

    TOKEN = "slipway:backup:Backup"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        (storage,) = (each["spec"] for each in objects if each["kind"] == "BackupStorageLocation")
        return {"location": "s3://{bucket}/{prefix}".format(**storage["objectStorage"])}
