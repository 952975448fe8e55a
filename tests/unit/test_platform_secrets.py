"""External Secrets: rendered by the real helm, with one store that few may ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import an_environment
from projects import CHECKOUT

from slipway.errors import SlipwayError
from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.platform.secrets import STORE, compile_secrets, external_secret
from slipway.settings.operating import SecretsSettings
from slipway.settings.stack_file import read_environment
from slipway.tools import toolchain


@pytest.fixture(scope="module")
def objects() -> list[dict[str, Any]]:
    environment = read_environment(CHECKOUT, "prod")
    assert environment.platform.secrets is not None
    context = Context(environment, Charts(toolchain.binary("helm"), toolchain.data("charts")))
    return list(compile_secrets(environment.platform.secrets, context))


def kinds(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each for each in objects if each["kind"] == kind]


def test_the_store_holds_no_credentials_and_is_no_ones_but_of_those_named(objects: list[dict[str, Any]]) -> None:
    (store,) = kinds(objects, "ClusterSecretStore")
    assert store["spec"]["provider"] == {"aws": {"service": "SecretsManager", "region": "eu-central-1"}}
    (condition,) = store["spec"]["conditions"]
    assert "models" not in condition["namespaces"]
    assert not kinds(objects, "Secret")


def test_every_kind_that_the_controller_watches_is_defined(objects: list[dict[str, Any]]) -> None:
    defined = {each["spec"]["names"]["kind"] for each in kinds(objects, "CustomResourceDefinition")}
    assert defined == {"ClusterSecretStore", "ExternalSecret", "GeneratorState", "SecretStore"}
    (controller,) = kinds(objects, "Deployment")
    off = {each for each in controller["spec"]["template"]["spec"]["containers"][0]["args"] if each.endswith("=false")}
    assert off == {
        "--enable-cluster-external-secret-reconciler=false",
        "--enable-cluster-push-secret-reconciler=false",
        "--enable-push-secret-reconciler=false",
    }


def test_the_service_account_is_the_one_that_the_role_is_bound_to(objects: list[dict[str, Any]]) -> None:
    (controller,) = kinds(objects, "Deployment")
    assert controller["metadata"]["namespace"] == "external-secrets"
    assert controller["spec"]["template"]["spec"]["serviceAccountName"] == "external-secrets"


def test_a_secret_is_asked_for_by_the_name_of_its_entry() -> None:
    asked = external_secret("mlflow", "login", "slipway/prod/mlflow", every="5m0s")
    assert asked["spec"]["secretStoreRef"]["name"] == STORE
    assert asked["spec"]["dataFrom"] == [{"extract": {"key": "slipway/prod/mlflow"}}]
    assert asked["spec"]["target"]["name"] == "login"
    assert asked["spec"]["refreshInterval"] == "5m0s"


def test_a_region_that_cannot_be_one_is_refused() -> None:
    with pytest.raises(ValueError, match="region"):
        SecretsSettings(region="Frankfurt")


def test_a_cluster_that_is_not_on_aws_must_say_which_region_it_is() -> None:
    context = Context(an_environment("prod"), Charts(Path("no-helm"), Path("no-charts")))
    with pytest.raises(SlipwayError, match=r"Pulumi\.prod\.yaml: slipway:platform\.secrets\.region: missing"):
        compile_secrets(SecretsSettings(), context)
