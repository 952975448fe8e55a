"""The feature store: Feast answers models with the features of this moment, training with those of then.

The server stands here; what it knows about comes from the team's own repository, as Argo CD's application
`feature-store` (docs/operations.md). On AWS a commit there runs `feast apply` against the same registry; elsewhere that
is a file which the server alone reaches, so its pod applies what the ConfigMap `features` holds before it serves.
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
#: The team's ConfigMap of Python files, where there is no AWS.
FEATURES = "features"
#: Without definitions nothing is applied: Feast would take away, with their values, those that it has.
APPLY = f"""\
ls /{FEATURES}/*.py || exit 0
rm -rf /tmp/repository && mkdir /tmp/repository
cp /etc/feast/feature_store.yaml /{FEATURES}/*.py /tmp/repository
exec feast --chdir=/tmp/repository apply
"""


def compile_feature_store(settings: FeatureStoreSettings, context: Context) -> tuple[Object, ...]:
    """Declare the server with its configuration, which `feast apply` takes too."""
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
        # Its answers need no login, so who may ask is decided here.
        *(isolate(NAMESPACE, asking, outside(chosen)) if chosen else ()),
    )


def configuration(settings: FeatureStoreSettings, context: Context) -> Object:
    """Return Feast's own settings: registry and online store on AWS, or files on a volume."""
    environment, eks = context.environment, context.environment.cluster.eks
    registry = f"s3://{names.bucket(environment, 'features')}" if eks else DATA
    online: Object = {"type": "sqlite", "path": f"{DATA}/online.db"}
    if eks:
        # On demand: it costs by what is asked. Its tables are called slipway_<environment>.<features>.
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
