"""Component for Velero.

The service account `velero/velero` needs rights to read, write and delete in the bucket and to make snapshots; on EKS
it has a role for that. The restore drill is in docs/operations.md.
"""

from components.system import Objects, Outputs, System


class Backup(System):
    """Velero with its definitions, storage location and schedule.

    Outputs:
        location: Where backups are, as `s3://<bucket>/<environment>`.
    """

    TOKEN = "slipway:backup:Backup"

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        (storage,) = (each["spec"] for each in objects if each["kind"] == "BackupStorageLocation")
        return {"location": "s3://{bucket}/{prefix}".format(**storage["objectStorage"])}
