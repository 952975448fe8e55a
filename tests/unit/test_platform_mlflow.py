"""MLflow: behind a login, its models where they can be served from, its database's login of this moment."""

from __future__ import annotations

import configparser
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from builders import an_environment

from slipway.errors import SlipwayError
from slipway.platform.charts import Charts
from slipway.platform.context import Context, Database
from slipway.platform.mlflow import START, compile_mlflow

NETWORK = {"network": {"egress": {"s3": {"cidr": "10.0.0.0/16"}}}}
BUCKET = "s3://models/mlflow"
DATABASE = Database("db.internal", "arn:of-the-login")
ADMIN = "arn:aws:iam::111122223333:role/slipway"
Found = dict[tuple[str, str], dict[str, Any]]


def compiled(platform: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None, **settings: Any) -> Found:
    """Everything, by kind with name."""
    changes = {"cluster": cluster} if cluster else {}
    environment = an_environment("prod", platform={**NETWORK, "mlflow": settings, **(platform or {})}, **changes)
    context = Context(environment, Charts(Path("no-helm"), Path("no-charts")), (), DATABASE)
    assert environment.platform.mlflow is not None
    found = compile_mlflow(environment.platform.mlflow, context)
    return {(each["kind"], each["metadata"]["name"]): each for each in found}


def pod(objects: Found, name: str = "mlflow") -> dict[str, Any]:
    return dict(objects["Deployment", name]["spec"]["template"]["spec"])


def server(objects: Found) -> dict[str, Any]:
    (container,) = pod(objects)["containers"]
    return dict(container)


def test_nobody_reaches_anything_without_a_login() -> None:
    container = server(compiled())
    assert "--app-name=basic-auth" in container["args"]
    taken = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container["env"] if "valueFrom" in each}
    assert taken["MLFLOW_AUTH_ADMIN_PASSWORD"] == {"name": "mlflow-admin", "key": "password"}
    assert taken["MLFLOW_FLASK_SERVER_SECRET_KEY"] == {"name": "mlflow-admin", "key": "flask_secret_key"}


def test_no_secret_stands_in_an_object() -> None:
    assert not [kind for kind, _ in compiled(artifacts=BUCKET, s3_endpoint="http://s3:9000") if kind == "Secret"]


def test_clients_write_models_to_the_bucket_that_servers_load_them_from() -> None:
    args = server(compiled(artifacts=BUCKET))["args"]
    assert {"--no-serve-artifacts", f"--default-artifact-root={BUCKET}"} <= set(args)
    kept = server(compiled())["args"]
    assert "--artifacts-destination=/mlflow/artifacts" in kept


def test_only_known_names_of_the_server_are_answered() -> None:
    (option,) = [each for each in server(compiled(host="mlflow.example.com"))["args"] if "allowed-hosts" in each]
    hosts = option.partition("=")[2].split(",")
    assert {"mlflow.mlflow:5000", "mlflow.mlflow.svc.cluster.local:5000", "mlflow.example.com"} <= set(hosts)
    assert "*" not in hosts


def test_people_come_through_the_environments_gateway_where_a_host_is_named() -> None:
    objects = compiled(host="mlflow.example.com")
    assert objects["HTTPRoute", "mlflow"]["spec"]["parentRefs"] == [{"name": "models", "namespace": "gateway-system"}]
    assert ("NetworkPolicy", "from-gateway") in objects
    assert not {("HTTPRoute", "mlflow"), ("NetworkPolicy", "from-gateway")} & set(compiled())


def test_the_database_is_a_pod_with_a_volume_that_only_this_namespace_reaches() -> None:
    objects = compiled()
    (opening,) = objects["NetworkPolicy", "from-itself"]["spec"]["ingress"]
    assert opening["ports"] == [{"port": 5432, "protocol": "TCP"}]
    assert opening["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "mlflow"}}}]
    claims = {each["name"]: each.get("persistentVolumeClaim") for each in pod(objects, "postgres")["volumes"]}
    assert claims["data"] == {"claimName": "postgres"}
    assert objects["Deployment", "postgres"]["spec"]["strategy"] == {"type": "Recreate"}


def test_a_lab_keeps_nothing_of_sqlite_beyond_its_pod() -> None:
    objects = compiled(database="sqlite", storage_gib=None)
    assert {"name": "data", "emptyDir": {}} in pod(objects)["volumes"]
    assert not [kind for kind, _ in objects if kind == "PersistentVolumeClaim"]
    assert "livenessProbe" not in server(objects)


def test_logins_are_asked_of_the_environments_store_if_it_has_one() -> None:
    store = {**NETWORK, "secrets": {"region": "eu-central-1"}}
    objects = compiled(store, s3_endpoint="http://s3:9000")
    asked = {
        name: each["spec"]["dataFrom"][0]["extract"]["key"]
        for (kind, name), each in objects.items()
        if kind == "ExternalSecret"
    }
    assert asked == {name: f"slipway/prod/{name}" for name in ("mlflow-admin", "mlflow-database", "mlflow-s3")}
    assert not [kind for kind, _ in compiled(s3_endpoint="http://s3:9000") if kind == "ExternalSecret"]


EKS = {"identifier": "prod", "eks": {"account": "111122223333", "region": "eu-central-1", "admins": [ADMIN]}}


def test_beside_a_cluster_on_aws_the_database_is_rds_whose_login_is_asked_for_often() -> None:
    objects = compiled({**NETWORK, "secrets": {}}, cluster=EKS, database="rds", replicas=2)
    values = {each["name"]: each.get("value") for each in server(objects)["env"]}
    assert values["DATABASE"] == "postgresql://$(DATABASE_HOST):5432/mlflow?sslmode=require"
    assert values["DATABASE_HOST"] == "db.internal"
    login = objects["ExternalSecret", "mlflow-database"]["spec"]
    assert login["dataFrom"] == [{"extract": {"key": "arn:of-the-login"}}]
    assert login["refreshInterval"] == "5m0s"
    assert ("Deployment", "postgres") not in objects
    (way,) = objects["NetworkPolicy", "to-database"]["spec"]["egress"]
    assert way == {"to": [{"ipBlock": {"cidr": "10.0.0.0/16"}}], "ports": [{"port": 5432, "protocol": "TCP"}]}
    assert "--default-artifact-root=s3://slipway-prod-mlflow-111122223333-eu-central-1" in server(objects)["args"]


@pytest.mark.parametrize(
    ("cluster", "said"), [(None, "set slipway:cluster.eks"), (EKS, "set slipway:platform.secrets")]
)
def test_rds_is_refused_where_nothing_makes_it_or_nothing_fetches_its_login(cluster: Any, said: str) -> None:
    with pytest.raises(SlipwayError, match=rf"mlflow\.database: rds .*; {said}"):
        compiled(cluster=cluster, database="rds")


def test_a_changed_login_starts_the_server_anew() -> None:
    (command,) = [server(compiled())["livenessProbe"]["exec"]["command"][-1]]
    assert command == "[ ! /run/database/password -nt /tmp/accounts.ini ]"


@pytest.mark.parametrize("settings", [{"database": "sqlite", "artifacts": BUCKET}, {"database": "postgres"}])
def test_servers_that_would_write_to_one_volume_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(SlipwayError, match=r"mlflow\.replicas: expected 1, since a volume has one writer, got 2"):
        compiled(**settings, replicas=2)


def test_several_servers_are_never_all_taken_away_at_once() -> None:
    objects = compiled(artifacts=BUCKET, replicas=2)
    assert objects["PodDisruptionBudget", "mlflow"]["spec"]["minAvailable"] == 1
    assert "strategy" not in objects["Deployment", "mlflow"]["spec"]


@pytest.fixture
def started(tmp_path: Path) -> Any:
    """Start the script with a `mlflow` that tells what it was called with; returns that."""
    fake = tmp_path / "bin" / "mlflow"
    fake.parent.mkdir()
    tell = 'print(*sys.argv[1:], *(f"{key}={value}" for key, value in os.environ.items()), sep="\\n")'
    fake.write_text(f"#!{sys.executable}\nimport os, sys\n{tell}\n")
    fake.chmod(fake.stat().st_mode | stat.S_IEXEC)
    accounts = tmp_path / "accounts.ini"
    script = tmp_path / START.name
    script.write_text(START.read_text().replace("/tmp/accounts.ini", str(accounts)))

    def run(database: str, password: str | None) -> tuple[list[str], configparser.SectionProxy]:
        login = tmp_path / "login"
        if password is not None:
            login.mkdir()
            (login / "username").write_text("slipway")
            (login / "password").write_text(password)
        variables = {"DATABASE": database, "DATABASE_LOGIN": str(login), "DEFAULT_PERMISSION": "READ"}
        path = f"{fake.parent}{os.pathsep}{os.environ['PATH']}"
        command = [sys.executable, str(script), "--workers=2"]
        done = subprocess.run(command, env={**variables, "PATH": path}, capture_output=True, text=True, check=True)
        # Read as MLflow reads it (mlflow/server/auth/config.py), references and all.
        config = configparser.ConfigParser()
        config.read(accounts)
        return done.stdout.splitlines(), config["mlflow"]

    return run


def test_the_server_starts_with_its_databases_login_whatever_characters_it_has(started: Any) -> None:
    said, accounts = started("postgresql://db:5432/mlflow?sslmode=require", "p%s:/@ä'")
    address = "postgresql://slipway:p%25s%3A%2F%40%C3%A4%27@db:5432/mlflow?sslmode=require"
    assert said[:2] == ["server", "--workers=2"]
    assert f"MLFLOW_BACKEND_STORE_URI={address}" in said
    assert accounts["database_uri"] == address
    assert accounts["default_permission"] == "READ"


def test_a_file_needs_no_login(started: Any) -> None:
    said, accounts = started("sqlite:////mlflow/mlflow.db", None)
    assert "MLFLOW_BACKEND_STORE_URI=sqlite:////mlflow/mlflow.db" in said
    assert accounts["database_uri"] == "sqlite:////mlflow/mlflow.db"
