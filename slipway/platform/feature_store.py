"""Compiler of the feature store Feast, which serves features to models and training.

Feature definitions come from the team's repository, as Argo CD's application `feature-store` (docs/operations.md). On
AWS a commit there runs `feast apply` on the same registry. Elsewhere only the server reaches the registry, a file, so
its pod applies the ConfigMap `features` before it serves.
"""

from __future__ import annotations

import yaml

from slipway.aws import names
from slipway.objects import Object
from slipway.platform import places
from slipway.platform.context import Context
from slipway.platform.isolation import Opening, isolate, pods_of
from slipway.platform.network import outside
from slipway.platform.systems import System, config_map
from slipway.policy.stages import namespace, training
from slipway.settings.data import FeatureStoreSettings

NAMESPACE = NAME = places.FEATURE_STORE
PORT = places.FEATURE_STORE_PORT
DATA = "/data"
#: The team's ConfigMap of Python files outside AWS.
FEATURES = "features"
#: Without files nothing is applied, because Feast would delete the existing definitions and their values.
APPLY = f"""\
ls /{FEATURES}/*.py || exit 0
rm -rf /tmp/repository && mkdir /tmp/repository
cp /etc/feast/feature_store.yaml /{FEATURES}/*.py /tmp/repository
exec feast --chdir=/tmp/repository apply
"""


def compile_feature_store(settings: FeatureStoreSettings, context: Context) -> tuple[Object, ...]:
    """Compile the server and its configuration, which `feast apply` reads too."""
    environment, on_aws = context.environment, context.environment.cluster.eks is not None
    files = config_map(NAME, NAMESPACE, {"feature_store.yaml": yaml.safe_dump(configuration(settings, context))})
    server = System(
        name=NAME,
        namespace=NAMESPACE,
        image=settings.image,
        command=("feast", "--chdir=/etc/feast", "serve"),
        args=("--host=0.0.0.0", f"--port={PORT}", "--no-access-log"),
        port=PORT,
        probe="/health",
        cpu="250m",
        memory="1Gi",
        # Its process manager keeps a socket there.
        env=({"name": "HOME", "value": "/tmp"},),
        files={"/etc/feast": files},
        given={} if on_aws else {f"/{FEATURES}": FEATURES},
        first=() if on_aws else ("sh", "-ec", APPLY),
        data=None if on_aws else DATA,
        storage_gib=settings.storage_gib,
        replicas=settings.replicas if on_aws else 1,
    )
    chosen = environment.platform.network
    asking = {each: Opening((pods_of(each),), (PORT,)) for each in (environment.namespace, training(environment))}
    return (
        namespace(NAMESPACE),
        *server.objects(),
        # Feast has no authentication, so network policies limit its clients.
        *(isolate(NAMESPACE, asking, outside(chosen)) if chosen else ()),
    )


def configuration(settings: FeatureStoreSettings, context: Context) -> Object:
    """Return Feast's configuration: registry and online store on AWS, or files on a volume."""
    environment, eks = context.environment, context.environment.cluster.eks
    registry = f"s3://{names.bucket(environment, 'features')}" if eks else DATA
    online: Object = {"type": "sqlite", "path": f"{DATA}/online.db"}
    if eks:
        # Billed by request. Tables are named slipway_<environment>.<features>.
        online = {"type": "dynamodb", "region": eks.region}
    return {
        "project": f"slipway_{environment.name.replace('-', '_')}",
        "provider": "aws" if eks else "local",
        "registry": {
            "registry_type": "file",
            "path": f"{registry}/registry.db",
            "cache_ttl_seconds": settings.cache_seconds,
        },
        "online_store": online,
        "offline_store": {"type": "file"},
        "entity_key_serialization_version": 3,
    }
