"""What components are compiled to, from the real charts."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pulumi
import pytest
from builders import an_environment
from projects import CHECKOUT
from typer.testing import CliRunner

from slipway import documents
from slipway.cli import root
from slipway.clients import image_registry
from slipway.errors import SlipwayError
from slipway.objects import Object
from slipway.platform import cert_manager, gateway, images
from slipway.platform.charts import Charts
from slipway.platform.compiling import compile_all, context_of
from slipway.platform.context import Context
from slipway.platform.flagger import compile_flagger
from slipway.platform.gateway import compile_gateway
from slipway.platform.images import Images
from slipway.platform.kserve import compile_kserve
from slipway.platform.kyverno import compile_kyverno
from slipway.settings.checkout import Checkout
from slipway.settings.serving import FlaggerSettings, GatewaySettings, KserveSettings, KyvernoSettings
from slipway.tools import toolchain
from stacks.platform import say_unlocked


@pytest.fixture(scope="module")
def context() -> Context:
    charts = Charts(toolchain.binary("helm"), toolchain.data("charts"), toolchain.cache() / "rendered")
    return Context(an_environment(), charts)


def one(objects: tuple[Object, ...], kind: str, name: str | None = None) -> Any:
    """The only object of a kind, or the one of a name."""
    (found,) = [each for each in objects if each["kind"] == kind and name in (None, each["metadata"]["name"])]
    return found


def kinds(objects: tuple[Object, ...]) -> set[str]:
    return {each["kind"] for each in objects}


def test_kserve_makes_deployments_and_no_route_fetches_from_s3_alone(context: Context) -> None:
    objects = compile_kserve(KserveSettings(), context)
    config = one(objects, "ConfigMap")["data"]
    assert json.loads(config["deploy"]) == {"defaultDeploymentMode": "Standard"}
    assert json.loads(config["ingress"])["disableIngressCreation"] is True
    assert json.loads(config["storageInitializer"])["enableModelcar"] is False
    assert one(objects, "ClusterStorageContainer")["spec"]["supportedUriFormats"] == [{"prefix": "s3://"}]


def test_on_knative_routes_are_knatives(context: Context) -> None:
    config = one(compile_kserve(KserveSettings(mode="Knative"), context), "ConfigMap")["data"]
    assert json.loads(config["deploy"]) == {"defaultDeploymentMode": "Knative"}
    assert json.loads(config["ingress"])["disableIngressCreation"] is False


def test_kserve_has_the_runtimes_that_are_wanted_with_the_image_that_is(context: Context) -> None:
    assert (
        one(compile_kserve(KserveSettings(), context), "ClusterServingRuntime")["metadata"]["name"] == "kserve-mlserver"
    )
    settings = KserveSettings(runtimes=("kserve-sklearnserver", "kserve-mlserver"), mlserver="example.com/mlserver:2")
    objects = compile_kserve(settings, context)
    assert one(objects, "ClusterServingRuntime", "kserve-sklearnserver")
    runtime = one(objects, "ClusterServingRuntime", "kserve-mlserver")["spec"]
    assert [each["image"] for each in runtime["containers"]] == ["example.com/mlserver:2"]
    assert {each["name"] for each in runtime["supportedModelFormats"]} == {"mlflow"}


def test_a_runtime_that_there_is_not_is_refused_with_the_nearest(context: Context) -> None:
    with pytest.raises(SlipwayError) as caught:
        compile_kserve(KserveSettings(runtimes=("kserve-mlsever",)), context)
    assert str(caught.value) == (
        "Pulumi.staging.yaml: slipway:platform.kserve.runtimes: unknown runtime 'kserve-mlsever'; nearest is"
        " 'kserve-mlserver'"
    )


def test_no_policy_of_kyverno_has_a_way_around_it(context: Context) -> None:
    (server,) = one(compile_kyverno(KyvernoSettings(), context), "Deployment", "kyverno-admission-controller")["spec"][
        "template"
    ]["spec"]["containers"]
    assert {"--enablePolicyException=false", "--forceFailurePolicyIgnore=false"} <= set(server["args"])


def test_without_reports_kyverno_is_one_controller(context: Context) -> None:
    def deployments(settings: KyvernoSettings) -> set[str]:
        return {each["metadata"]["name"] for each in compile_kyverno(settings, context) if each["kind"] == "Deployment"}

    assert deployments(KyvernoSettings(reports=False)) == {"kyverno-admission-controller"}
    assert deployments(KyvernoSettings()) == {"kyverno-admission-controller", "kyverno-reports-controller"}


def test_the_kinds_of_policies_come_from_the_module_that_kyverno_is_built_with(context: Context) -> None:
    found = compile_kyverno(KyvernoSettings(), context)
    assert one(found, "CustomResourceDefinition", "validatingpolicies.policies.kyverno.io")
    pins = {
        folder: (CHECKOUT / "tools" / folder / "go.mod").read_text().split("github.com/kyverno/api ")[1].split()[0]
        for folder in ("charts", "kyverno")
    }
    assert pins["charts"] == pins["kyverno"]


def test_flagger_knows_its_environment_and_several_of_it_survive_a_drain(context: Context) -> None:
    single, pair = (compile_flagger(FlaggerSettings(replicas=count), context) for count in (1, 2))
    (server,) = one(pair, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert {
        "-metrics-server=http://prometheus.monitoring:9090",
        "-include-label-prefix=slipway.dev/",
        "-cluster-name=staging",
        "-enable-leader-election=true",
    } <= set(server["command"])
    assert "PodDisruptionBudget" in kinds(pair)
    assert "PodDisruptionBudget" not in kinds(single)


def test_cert_managers_images_are_of_the_version_that_is_pinned(context: Context) -> None:
    found = cert_manager.compile_cert_manager(cert_manager.CertManagerSettings(), context)
    images = [
        container["image"]
        for each in found
        if each["kind"] == "Deployment"
        for container in each["spec"]["template"]["spec"]["containers"]
    ]
    pin = f"github.com/cert-manager/cert-manager {cert_manager.CHART.version}\n"
    assert pin in (CHECKOUT / "tools/charts/go.mod").read_text()
    assert images
    assert all(image.endswith(f":{cert_manager.CHART.version}") for image in images)


def gateway_of(context: Context, **gateway: Any) -> tuple[Object, ...]:
    """What the gateway is compiled to, with other settings of the environment's Gateway."""
    changed = context.environment.gateway.model_copy(update=gateway)
    environment = context.environment.model_copy(update={"gateway": changed})
    return compile_gateway(GatewaySettings(replicas=2, issuer="letsencrypt"), Context(environment, context.charts))


def test_the_gateway_takes_routes_of_the_models_namespace_for_models_names_alone(context: Context) -> None:
    (listener,) = one(gateway_of(context), "Gateway")["spec"]["listeners"]
    assert listener["hostname"] == "*.models.example.com"
    allowed = {"from": "Selector", "selector": {"matchLabels": {"kubernetes.io/metadata.name": "models"}}}
    assert listener["allowedRoutes"]["namespaces"] == allowed


@pytest.mark.parametrize(("scheme", "port"), [("http", 80), ("https", 443)])
def test_listener_entry_point_container_and_load_balancer_have_one_port(
    context: Context, scheme: str, port: int
) -> None:
    objects = gateway_of(context, scheme=scheme)
    (listener,) = one(objects, "Gateway")["spec"]["listeners"]
    (server,) = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert f"--entrypoints.{scheme}.address=:{listener['port']}" in server["args"]
    assert {"name": scheme, "containerPort": listener["port"]} in server["ports"]
    assert one(objects, "Service")["spec"]["ports"] == [{"name": scheme, "port": port, "targetPort": scheme}]


def test_over_https_there_is_a_certificate_and_nothing_listens_in_the_clear(context: Context) -> None:
    objects = gateway_of(context, scheme="https")
    (listener,) = one(objects, "Gateway")["spec"]["listeners"]
    assert listener["tls"] == {"mode": "Terminate", "certificateRefs": [{"name": "models-tls"}]}
    assert one(objects, "Certificate")["spec"]["dnsNames"] == ["*.models.example.com"]
    assert "Certificate" not in kinds(gateway_of(context, scheme="http"))


def test_traefik_reads_secrets_beside_the_gateway_and_the_models_alone(context: Context) -> None:
    objects = gateway_of(context, mirrors="traefik")
    roles = {each["metadata"]["name"]: each["rules"] for each in objects if each["kind"] == "ClusterRole"}
    everywhere = one(objects, "ClusterRoleBinding")["roleRef"]["name"]
    assert not [rule for rule in roles[everywhere] if "secrets" in rule["resources"]]
    bound = [each for each in objects if each["kind"] == "RoleBinding"]
    assert {each["metadata"]["namespace"] for each in bound} == {"gateway-system", "models"}
    assert {each["roleRef"]["name"] for each in bound} == {"traefik"}


def test_traefiks_own_kinds_are_there_where_it_copies_requests(context: Context) -> None:
    def groups(mirrors: str | None) -> set[str]:
        found = gateway_of(context, mirrors=mirrors)
        return {each["spec"]["group"] for each in found if each["kind"] == "CustomResourceDefinition"}

    assert groups("traefik") == {"gateway.networking.k8s.io", "traefik.io"}
    assert groups(None) == {"gateway.networking.k8s.io"}


def test_traefiks_image_is_of_the_module_that_its_permissions_come_from() -> None:
    version = gateway.IMAGE.rpartition(":")[2]
    for folder in ("charts", "traefik"):
        pins = (CHECKOUT / "tools" / folder / "go.mod").read_text()
        assert pins.split("github.com/traefik/traefik/v3 ")[1].split()[0] == version


def locked(tmp_path: Path, *images: str) -> None:
    """Write a lock file."""
    documents.write(tmp_path / "images.yaml", Images(images=dict.fromkeys(images, f"sha256:{'0' * 64}")))


@pytest.mark.parametrize(
    ("stage", "preview", "refused"), [("enforce", False, True), ("enforce", True, False), ("audit", False, False)]
)
def test_an_image_without_a_digest_is_noted_and_where_policies_are_enforced_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, preview: bool, refused: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "info", said.append)
    environment = an_environment(platform={"network": {"stage": stage}, "flagger": {}})
    compiled = compile_all(context_of(environment, Checkout(tmp_path)))
    expected = (
        "images.yaml: 1 of 1 images have no digest, so a moved tag would change what runs:"
        " ghcr.io/fluxcd/flagger:1.41.0 first; run `slipway images lock` and commit the file"
    )
    if refused:
        with pytest.raises(SlipwayError, match=re.escape(expected)):
            say_unlocked(environment, compiled, images.load(tmp_path))
    else:
        say_unlocked(environment, compiled, images.load(tmp_path))
        assert said == [expected]
    locked(tmp_path, "ghcr.io/fluxcd/flagger:1.41.0")
    said.clear()
    say_unlocked(environment, compiled, images.load(tmp_path))
    assert said == []


def test_the_lock_asks_for_what_has_no_digest_and_forgets_what_nothing_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def digest(image: str, _: object) -> str:
        asked.append(image)
        return f"sha256:{'1' * 64}"

    for name in ("Pulumi.yaml", "Pulumi.dev.yaml"):
        shutil.copy(CHECKOUT / name, tmp_path)
    locked(tmp_path, "ghcr.io/fluxcd/flagger:1.41.0", "example.com/gone:1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLIPWAY_PROJECT", str(tmp_path))
    monkeypatch.setattr(image_registry, "digest", digest)
    done = CliRunner().invoke(root.app, ["images", "lock", "--json"])
    assert done.exit_code == 0, done.output
    found = images.load(tmp_path).images
    assert found["ghcr.io/fluxcd/flagger:1.41.0"] == f"sha256:{'0' * 64}"
    assert found["docker.io/library/traefik:v3.6.0"] == f"sha256:{'1' * 64}"
    assert "example.com/gone:1" not in found
    assert sorted(asked) == sorted(set(found) - {"ghcr.io/fluxcd/flagger:1.41.0"})
