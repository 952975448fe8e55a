"""Compiler of MLflow, the registry that environments are deployed from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from slipway.aws import names
from slipway.models.servers import STORAGE
from slipway.objects import Object
from slipway.platform import places
from slipway.platform.context import Context, Database
from slipway.platform.isolation import Opening, isolate, network, pods_of
from slipway.platform.network import outside
from slipway.platform.secrets import entry, external_secret
from slipway.platform.systems import claim, config_map, revision, volume
from slipway.platform.workloads import budget, deployment, manifest, secret_variable, service, service_account
from slipway.policy.stages import namespace
from slipway.settings.data import MlflowSettings

NAMESPACE, PORT, POSTGRES_PORT = places.MLFLOW, places.MLFLOW_PORT, 5432
#: Secrets of the namespace: MLflow's administrator, the database login, and the login of an S3 outside AWS.
ADMIN, LOGIN, S3 = "mlflow-admin", "mlflow-database", "mlflow-s3"
LOGIN_MOUNT, VOLUME_MOUNT = "/run/database", "/mlflow"
START = Path(__file__).with_name("mlflow_start.py")
#: MB; an idle worker of MLflow 3.17 takes 264.
WORKER_MEMORY = 384
#: MB; the parent process takes 187.
PARENT_MEMORY = 256
POSTGRES = "docker.io/library/postgres:17.6"


def compile_mlflow(settings: MlflowSettings, context: Context) -> tuple[Object, ...]:
    """Compile the server, its dependencies and its network policies.

    Raises:
        SlipwayError: Several servers would write to one volume, or nothing would fetch the login of RDS.
    """
    environment, place = context.environment, artifacts(settings, context)
    if settings.database == "rds" and not environment.cluster.eks:
        problem = "rds is made beside a cluster on AWS; set slipway:cluster.eks, or take 'postgres'"
        raise context.error("mlflow.database", problem)
    if settings.database == "rds" and not environment.platform.secrets:
        problem = "rds keeps its login in Secrets Manager; set slipway:platform.secrets too"
        raise context.error("mlflow.database", problem)
    if settings.replicas > 1 and _writes(settings, place):
        problem = f"expected 1, since a volume has one writer, got {settings.replicas}; with database 'postgres' and"
        raise context.error("mlflow.replicas", f"{problem} artifacts in a bucket there is no volume")
    return (
        namespace(NAMESPACE),
        service_account(NAMESPACE, "mlflow"),
        *_secrets(settings, context),
        *(_postgres(settings) if settings.database == "postgres" else ()),
        *_server(settings, place, context.database),
        *(_route(settings.host, context) if settings.host else ()),
        *_policies(settings, context),
    )


def artifacts(settings: MlflowSettings, context: Context) -> str | None:
    """Return the location of models; None is the server's volume."""
    if settings.artifacts or not context.environment.cluster.eks:
        return settings.artifacts
    return f"{STORAGE}{names.bucket(context.environment, 'mlflow')}"


def _writes(settings: MlflowSettings, place: str | None) -> bool:
    """Return whether the server stores data on its volume."""
    return settings.database == "sqlite" or place is None


def _secrets(settings: MlflowSettings, context: Context) -> list[Object]:
    """Return the ExternalSecrets; without a secret store, an operator creates the Secrets (docs/operations.md)."""
    environment = context.environment
    if not environment.platform.secrets:
        return []
    found = [external_secret(NAMESPACE, ADMIN, entry(environment, ADMIN))]
    if settings.database == "postgres":
        found.append(external_secret(NAMESPACE, LOGIN, entry(environment, LOGIN)))
    if settings.database == "rds":
        # RDS rotates the password; MLflow cannot connect until the Secret is refreshed.
        found.append(external_secret(NAMESPACE, LOGIN, context.database.secret, every="5m0s"))
    if settings.s3_endpoint:
        found.append(external_secret(NAMESPACE, S3, entry(environment, S3)))
    return found


def _postgres(settings: MlflowSettings) -> list[Object]:
    container = {
        "image": POSTGRES,
        "env": [
            {"name": "PGDATA", "value": "/data/postgres"},
            {"name": "POSTGRES_DB", "value": "mlflow"},
            {"name": "POSTGRES_USER_FILE", "value": f"{LOGIN_MOUNT}/username"},
            {"name": "POSTGRES_PASSWORD_FILE", "value": f"{LOGIN_MOUNT}/password"},
        ],
        "ports": [{"name": "postgres", "containerPort": POSTGRES_PORT, "protocol": "TCP"}],
        "readinessProbe": {"exec": {"command": ["pg_isready", "--host=127.0.0.1"]}},
        "resources": {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}},
        "volumeMounts": [
            {"name": "login", "mountPath": LOGIN_MOUNT, "readOnly": True},
            {"name": "data", "mountPath": "/data"},
            {"name": "socket", "mountPath": "/var/run/postgresql"},
        ],
    }
    volumes = {"login": _login(), "data": volume("postgres", settings.storage_gib), "socket": {"emptyDir": {}}}
    return [
        service_account(NAMESPACE, "postgres"),
        *([claim(NAMESPACE, "postgres", settings.storage_gib)] if settings.storage_gib else []),
        deployment(NAMESPACE, "postgres", container, volumes=volumes, replaced=True),
        service(NAMESPACE, "postgres", POSTGRES_PORT),
    ]


def _server(settings: MlflowSettings, place: str | None, database: Database) -> list[Object]:
    files = config_map("mlflow", NAMESPACE, {START.name: START.read_text()})
    stored = _writes(settings, place)
    memory = f"{PARENT_MEMORY + settings.workers * WORKER_MEMORY}Mi"
    container: Object = {
        "image": settings.image,
        "command": ["python", f"/etc/mlflow/{START.name}"],
        "args": _options(settings, place),
        "env": _environment(settings, database),
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": {"httpGet": {"path": "/health", "port": "http"}, "periodSeconds": 5, "failureThreshold": 60},
        "readinessProbe": {"httpGet": {"path": "/health", "port": "http"}},
        "resources": {"requests": {"cpu": "250m", "memory": memory}, "limits": {"memory": memory}},
        "volumeMounts": [{"name": "start", "mountPath": "/etc/mlflow", "readOnly": True}],
    }
    volumes: dict[str, Object] = {"start": {"configMap": {"name": "mlflow"}}}
    if settings.database != "sqlite":
        volumes["login"] = _login()
        container["volumeMounts"].append({"name": "login", "mountPath": LOGIN_MOUNT, "readOnly": True})
        # The server reads the login only when it starts, so a newer login restarts it.
        unchanged = f"[ ! {LOGIN_MOUNT}/password -nt /tmp/accounts.ini ]"
        container["livenessProbe"] = {"exec": {"command": ["sh", "-c", unchanged]}, "failureThreshold": 1}
    if stored:
        volumes["data"] = volume("mlflow", settings.storage_gib)
        container["volumeMounts"].append({"name": "data", "mountPath": VOLUME_MOUNT})
    server = deployment(NAMESPACE, "mlflow", container, replicas=settings.replicas, volumes=volumes, replaced=stored)
    server["spec"]["template"]["metadata"]["annotations"] = {"slipway.dev/files": revision({"/etc/mlflow": files})}
    return [
        files,
        *([claim(NAMESPACE, "mlflow", settings.storage_gib)] if stored and settings.storage_gib else []),
        server,
        service(NAMESPACE, "mlflow", PORT),
        *budget(NAMESPACE, "mlflow", settings.replicas),
    ]


def _options(settings: MlflowSettings, place: str | None) -> list[str]:
    inside = [f"mlflow{domain}:{PORT}" for domain in ("", ".mlflow", ".mlflow.svc", ".mlflow.svc.cluster.local")]
    hosts = [*inside, *([settings.host] if settings.host else []), "localhost:*", "127.0.0.1:*"]
    # Clients write to a bucket directly, so that model servers can load from a version's address.
    stored = (
        ["--no-serve-artifacts", f"--default-artifact-root={place}"]
        if place
        else ["--serve-artifacts", f"--artifacts-destination={VOLUME_MOUNT}/artifacts"]
    )
    common = ["--host=0.0.0.0", f"--port={PORT}", f"--workers={settings.workers}", "--app-name=basic-auth"]
    return [*common, f"--allowed-hosts={','.join(hosts)}", *stored]


def _environment(settings: MlflowSettings, database: Database) -> list[Object]:
    login = LOGIN_MOUNT if settings.database != "sqlite" else "/nowhere"
    if settings.database == "sqlite":
        address: Any = f"sqlite:///{VOLUME_MOUNT}/mlflow.db"
    elif settings.database == "postgres":
        address = f"postgresql://postgres:{POSTGRES_PORT}/mlflow"
    else:
        address = f"postgresql://$(DATABASE_HOST):{POSTGRES_PORT}/mlflow?sslmode=require"
    found = [
        *([{"name": "DATABASE_HOST", "value": database.host}] if settings.database == "rds" else []),
        {"name": "HOME", "value": "/tmp"},
        {"name": "DATABASE", "value": address},
        {"name": "DATABASE_LOGIN", "value": login},
        {"name": "DEFAULT_PERMISSION", "value": settings.permission},
        secret_variable("MLFLOW_AUTH_ADMIN_USERNAME", ADMIN, "username"),
        secret_variable("MLFLOW_AUTH_ADMIN_PASSWORD", ADMIN, "password"),
        secret_variable("MLFLOW_FLASK_SERVER_SECRET_KEY", ADMIN, "flask_secret_key"),
        # Jobs of its assistant; each would be a process more.
        {"name": "MLFLOW_SERVER_ENABLE_JOB_EXECUTION", "value": "false"},
    ]
    if settings.s3_endpoint:
        found += [
            {"name": "MLFLOW_S3_ENDPOINT_URL", "value": settings.s3_endpoint},
            secret_variable("AWS_ACCESS_KEY_ID", S3, "access_key"),
            secret_variable("AWS_SECRET_ACCESS_KEY", S3, "secret_key"),
        ]
    return found


def _route(host: str, context: Context) -> list[Object]:
    gateway = context.environment.gateway
    spec = {
        "parentRefs": [{"name": gateway.name, "namespace": gateway.namespace}],
        "hostnames": [host],
        "rules": [{"backendRefs": [{"name": "mlflow", "port": PORT}]}],
    }
    return [manifest("gateway.networking.k8s.io/v1", "HTTPRoute", "mlflow", NAMESPACE, spec=spec)]


def _policies(settings: MlflowSettings, context: Context) -> tuple[Object, ...]:
    environment, chosen = context.environment, context.environment.platform.network
    if chosen is None:
        return ()
    ingress = {"training": Opening((pods_of(chosen.training_namespace),), (PORT,))}
    egress = outside(chosen)
    if settings.host:
        ingress["gateway"] = Opening((pods_of(environment.gateway.namespace),), (PORT,))
    eks = environment.cluster.eks
    if settings.database == "rds" and eks:
        egress["database"] = Opening((network(eks.network),), (POSTGRES_PORT,))
    if settings.database == "postgres":
        ingress["itself"] = egress["itself"] = Opening((pods_of(NAMESPACE),), (POSTGRES_PORT,))
    return isolate(NAMESPACE, ingress, egress)


def _login() -> Object:
    return {"secret": {"secretName": LOGIN}}
