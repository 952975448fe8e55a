"""Compiler of Velero: nightly backups of the cluster's objects and volumes."""

from __future__ import annotations

from slipway.aws import names
from slipway.objects import Object
from slipway.platform.context import Context
from slipway.platform.workloads import binding, deployment, manifest, service_account
from slipway.policy.stages import namespace
from slipway.settings.operating import BackupSettings

NAMESPACE = "velero"
DEFINITIONS = "github.com/vmware-tanzu/velero/config/crd/v1/bases"
METRICS_PORT = 8085
#: Namespaces that every cluster creates itself; Velero reads its own objects from the bucket.
LEFT_OUT = ("kube-node-lease", "kube-public", "kube-system", NAMESPACE)


def compile_backup(settings: BackupSettings, context: Context) -> tuple[Object, ...]:
    """Compile Velero with its storage location and schedule.

    Raises:
        SlipwayError: The bucket or its region is missing.
    """
    bucket, region = _place(settings, context)
    server = deployment(
        NAMESPACE,
        "velero",
        {
            "image": settings.image,
            "command": ["/velero"],
            "args": ["server"],
            "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
            "env": [
                {"name": "VELERO_SCRATCH_DIR", "value": "/tmp"},
                {"name": "VELERO_NAMESPACE", "value": NAMESPACE},
                {"name": "LD_LIBRARY_PATH", "value": "/plugins"},
            ],
            # The requests of `velero install` (pkg/install/resources.go).
            "resources": {"requests": {"cpu": "500m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "volumeMounts": [{"name": "plugins", "mountPath": "/plugins"}],
        },
        init=[
            {
                "name": "plugin-for-aws",
                "image": settings.plugin,
                "volumeMounts": [{"name": "plugins", "mountPath": "/target"}],
            }
        ],
        volumes={"plugins": {"emptyDir": {}}},
        token=True,
    )
    place = {"provider": "velero.io/aws", "config": {"region": region}}
    snapshots = [manifest("velero.io/v1", "VolumeSnapshotLocation", "default", NAMESPACE, spec=place)]
    return (
        namespace(NAMESPACE),
        *context.charts.read(f"{DEFINITIONS}/*.yaml"),
        service_account(NAMESPACE, "velero"),
        # To read, and one day to restore, every kind there is: Velero's own installation binds this role too.
        binding("cluster-admin", "velero", NAMESPACE, name="velero"),
        server,
        _location(settings, bucket, region, context),
        *(snapshots if settings.volumes else ()),
        _schedule(settings),
    )


def _place(settings: BackupSettings, context: Context) -> tuple[str, str]:
    """Return the bucket and its region."""
    environment = context.environment
    eks = environment.cluster.eks
    bucket = settings.bucket or (names.bucket(environment, "backup") if eks else None)
    region = settings.region or (eks.region if eks else None)
    if bucket and region:
        return bucket, region
    missing = "region" if bucket else "bucket"
    problem = "missing; set it, or slipway:cluster.eks, whose cluster has a default"
    raise context.error(f"backup.{missing}", problem)


def _location(settings: BackupSettings, bucket: str, region: str, context: Context) -> Object:
    config = {"region": region}
    if settings.endpoint:
        config |= {"s3Url": settings.endpoint, "s3ForcePathStyle": "true"}
    spec = {
        "provider": "velero.io/aws",
        "default": True,
        # A drill restores one environment's backups into another's cluster, so each has a separate prefix.
        "objectStorage": {"bucket": bucket, "prefix": context.environment.name},
        "config": config,
    }
    return manifest("velero.io/v1", "BackupStorageLocation", "default", NAMESPACE, spec=spec)


def _schedule(settings: BackupSettings) -> Object:
    template = {
        "ttl": f"{settings.keep_days * 24}h0m0s",
        "includedNamespaces": ["*"],
        "excludedNamespaces": list(LEFT_OUT),
        "includeClusterResources": True,
        "snapshotVolumes": settings.volumes,
        "storageLocation": "default",
    }
    spec = {"schedule": settings.schedule, "template": template}
    return manifest("velero.io/v1", "Schedule", "nightly", NAMESPACE, spec=spec)
