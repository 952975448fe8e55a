"""What a lab changes in the files of the pinned modules; the files here have their shape."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from slipway.errors import ExitCode, SlipwayError
from slipway.lab import manifests, network

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: inferenceservice-config, namespace: kserve}
data:
  _example: text
  deploy: '{"defaultDeploymentMode": "Serverless"}'
  ingress: '{"disableIngressCreation": false, "urlScheme": "http"}'
  storageInitializer: '{"image": "kserve/storage-initializer:latest", "memoryLimit": "1Gi"}'
  logger: '{}'
"""
RUNTIME = """\
apiVersion: serving.kserve.io/v1alpha1
kind: ClusterServingRuntime
metadata:
  name: kserve-mlserver
  annotations: {serving.kserve.io/server-type: mlserver}
spec:
  annotations: {prometheus.kserve.io/port: '8080'}
  supportedModelFormats:
    - {name: sklearn, version: "1", autoSelect: true}
    - {name: mlflow, version: "1", autoSelect: true}
    - {name: mlflow, version: "2", autoSelect: true}
  containers:
    - name: kserve-container
      image: mlserver:replace
      env: [{name: MLSERVER_HTTP_PORT, value: "8080"}]
"""
WEBHOOKS = """\
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingWebhookConfiguration
metadata: {name: one, creationTimestamp: null}
webhooks:
  - {name: a, clientConfig: {service: {name: $(x), namespace: $(y), path: /mutate-pods}}}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: two, creationTimestamp: null}
webhooks:
  - {name: b, clientConfig: {service: {name: $(x), namespace: $(y), path: /validate}}}
"""
CRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata:\n  name: {}\nspec: {{}}\n"


@pytest.fixture
def module(tmp_path: Path) -> Path:
    files = {
        "config/configmap/inferenceservice.yaml": CONFIG,
        "config/runtimes/kserve-mlserver.yaml": RUNTIME,
        "config/webhook/manifests.yaml": WEBHOOKS,
        "config/crd/full/one.yaml": "---\n" + CRD.format("ones.example.com"),
        "config/crd/full/kustomization.yaml": "kind: Kustomization\nresources: []\n",
        "config/crd/full/llmisvc/big.yaml": CRD.format("unwanted.example.com"),
        "config/crd/full/clusterstoragecontainer/two.yaml": CRD.format("twos.example.com"),
        "config/crd/standard/three.yaml": CRD.format("threes.example.com"),
        "docs/content/reference/dynamic-configuration/traefik.io_six.yaml": CRD.format("sixes.example.com"),
        "docs/content/reference/dynamic-configuration/traefik.containo.us_old.yaml": CRD.format("old.example.com"),
        "artifacts/flagger/crd.yaml": CRD.format("fours.example.com") + "---\n" + CRD.format("fives.example.com"),
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_definitions_are_those_that_the_lab_needs(module: Path) -> None:
    data = dict.fromkeys(("kserve", "flagger", "gateway-api", "traefik"), module)
    wanted = {f"{name}.example.com" for name in ("ones", "twos", "threes", "fours", "fives", "sixes")}
    assert {definition.name for definition in manifests.definitions(data)} == wanted


def test_kserve_makes_plain_deployments_without_an_ingress(module: Path) -> None:
    data = manifests.inference_service_config(module)["data"]
    assert "_example" not in data
    assert json.loads(data["deploy"]) == {"defaultDeploymentMode": "Standard"}
    ingress = json.loads(data["ingress"])
    assert ingress["disableIngressCreation"] is True
    assert ingress["urlScheme"] == "http"
    storage = json.loads(data["storageInitializer"])
    assert (storage["image"], storage["memoryLimit"]) == (manifests.STORAGE_INITIALIZER, "1Gi")


def test_the_runtime_serves_mlflow_models_with_probes_that_ask_the_model(module: Path) -> None:
    runtime = manifests.runtime(module)
    assert runtime["metadata"]["name"] == "slipway-mlserver"
    # KServe gives the pod MLServer's variables because of this annotation, whatever the name.
    assert runtime["metadata"]["annotations"] == {"serving.kserve.io/server-type": "mlserver"}
    spec = runtime["spec"]
    assert [(f["name"], f["version"]) for f in spec["supportedModelFormats"]] == [("mlflow", v) for v in "123"]
    (server,) = spec["containers"]
    env = {entry["name"]: entry["value"] for entry in server["env"]}
    assert env == {"MLSERVER_HTTP_PORT": "8080", "MLSERVER_METRICS_PORT": "8082", "MLSERVER_PARALLEL_WORKERS": "0"}
    assert server["image"] == manifests.MLSERVER_IMAGE
    assert server["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    assert spec["annotations"]["prometheus.kserve.io/port"] == "8082"


def test_webhooks_are_called_at_the_managers_own_address(module: Path) -> None:
    first, second = manifests.webhooks(module, b"CERTIFICATE")
    assert first["metadata"] == {"name": "one"}
    (webhook,) = first["webhooks"]
    assert webhook["clientConfig"] == {
        "url": f"https://{network.ADDRESS}:9443/mutate-pods",
        "caBundle": base64.b64encode(b"CERTIFICATE").decode(),
    }
    assert second["webhooks"][0]["clientConfig"]["url"].endswith(":9443/validate")


def test_the_gateways_port_is_that_of_the_entry_point() -> None:
    gateway = manifests.gateway()[1]
    assert [listener["port"] for listener in gateway["spec"]["listeners"]] == [network.GATEWAY_PORT]


def test_the_model_readers_secret_leads_to_the_labs_object_store() -> None:
    secret, account = manifests.model_reader("access", "secret")
    assert secret["metadata"]["annotations"]["serving.kserve.io/s3-endpoint"] == "10.244.0.1:7070"
    assert account["secrets"] == [{"name": secret["metadata"]["name"]}]


def test_a_module_without_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match=r"inferenceservice\.yaml: missing from the pinned module") as missing:
        manifests.inference_service_config(tmp_path)
    assert missing.value.exit_code == ExitCode.MACHINE
