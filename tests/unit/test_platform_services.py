"""The judge with observe, as a cluster runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import a_spec
from projects import CHECKOUT

from slipway.clients import kubeconfig
from slipway.models.spec import load_model_spec
from slipway.objects import Object
from slipway.observe.specs import read_specs
from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.platform.services import compile_services
from slipway.settings.operating import ServicesSettings
from slipway.settings.stack_file import read_environment

PROD = read_environment(CHECKOUT, "prod")


def compiled(**settings: Any) -> dict[tuple[str, str], Object]:
    """Every object, by kind with name."""
    context = Context(PROD, Charts(Path("no-helm"), Path("no-charts")), (a_spec("churn"), a_spec("fraud")))
    chosen = ServicesSettings(image="registry/slipway:1", **settings)
    return {(each["kind"], each["metadata"]["name"]): each for each in compile_services(chosen, context)}


def container(name: str) -> Any:
    return compiled()["Deployment", name]["spec"]["template"]["spec"]["containers"][0]


def test_flagger_reaches_the_judge_where_the_environment_says() -> None:
    service = compiled()["Service", "slipway-judge"]
    metadata, (port,) = service["metadata"], service["spec"]["ports"]
    assert PROD.judge_url == f"http://{metadata['name']}.{metadata['namespace']}:{port['port']}"


def test_the_judge_asks_the_environments_prometheus_as_its_own_service_account(tmp_path: Path) -> None:
    assert f"--prometheus={PROD.prometheus_url}" in container("slipway-judge")["args"]
    written = yaml.safe_load(compiled()["ConfigMap", "slipway-judge-kubeconfig"]["data"]["config"])
    written["users"][0]["user"]["tokenFile"] = str(tmp_path / "token")
    (tmp_path / "token").write_text("its own")
    access = kubeconfig.access(written, tmp_path)
    assert (access.server, access.token) == ("https://kubernetes.default.svc", "its own")


def test_two_judges_never_write_one_ledger() -> None:
    spec = compiled()["Deployment", "slipway-judge"]["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (1, "Recreate")


def test_observe_reads_the_specs_that_people_wrote(tmp_path: Path) -> None:
    for name, text in compiled()["ConfigMap", "slipway-observe-models"]["data"].items():
        (tmp_path / name).write_text(text)
    assert load_model_spec(tmp_path / "churn.yaml") == a_spec("churn")
    assert not read_specs(tmp_path).unreadable


@pytest.mark.parametrize("spec", sorted((CHECKOUT / "models").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_spec_of_the_checkout_survives_the_way_to_observe(spec: Path, tmp_path: Path) -> None:
    read = load_model_spec(spec)
    (tmp_path / spec.name).write_text(yaml.safe_dump(read.model_dump(exclude_defaults=True)))
    assert load_model_spec(tmp_path / spec.name) == read


def test_only_models_and_named_applications_may_send() -> None:
    (rule,) = compiled(senders=("shop",))["NetworkPolicy", "from-senders"]["spec"]["ingress"]
    names = [peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for peer in rule["from"]]
    assert (names, [port["port"] for port in rule["ports"]]) == (["models", "shop"], [9092])


def test_the_judge_changes_nothing_but_copies_of_requests() -> None:
    rules = compiled()["ClusterRole", "slipway-slipway-judge"]["rules"]
    changing = [rule["resources"] for rule in rules if set(rule["verbs"]) - {"get", "list", "watch"}]
    assert changing == [["ingressroutes"]]


def test_observe_has_no_credentials_of_kubernetes() -> None:
    pod = compiled()["Deployment", "slipway-observe"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False


def test_the_job_of_drift_asks_observe_and_keeps_its_pages() -> None:
    made = compiled(drift_image="registry/drift:1")
    pod = made["CronJob", "slipway-drift"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert "--observe=http://slipway-observe.slipway:9092" in pod["containers"][0]["args"]
    assert {"name": "reports", "persistentVolumeClaim": {"claimName": "slipway-drift"}} in pod["volumes"]
    assert pod["restartPolicy"] == "Never"


def test_without_an_image_there_is_no_job_of_drift() -> None:
    assert not [name for kind, name in compiled() if kind == "CronJob"]
