"""What measures, what warns: the objects, before promtool or a cluster sees them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from builders import a_spec, an_environment
from projects import CHECKOUT
from typer.testing import CliRunner

from slipway import schema
from slipway.cli import root
from slipway.errors import SlipwayError
from slipway.lab import scraping as lab
from slipway.models.spec import ModelSpec
from slipway.objects import Object
from slipway.platform import scraping
from slipway.platform.alerts import ALERTS
from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.platform.dashboards import DASHBOARDS, compile_dashboard
from slipway.platform.monitoring import compile_monitoring, configuration
from slipway.platform.tiers import TIERS, tier
from slipway.settings.environment import Environment
from slipway.settings.monitoring import MonitoringSettings
from slipway.settings.stack_file import read_environment

STAGING: Environment = read_environment(CHECKOUT, "staging")


def compiled(stack: str = "prod", **settings: Any) -> dict[tuple[str, str], Object]:
    """Every object, by kind with name."""
    environment = read_environment(CHECKOUT, stack)
    chosen = MonitoringSettings.model_validate(settings) if settings else environment.platform.monitoring
    assert chosen is not None
    context = Context(environment, Charts(Path("no-helm"), Path("no-charts")), (a_spec("churn"),))
    return {(each["kind"], each["metadata"]["name"]): each for each in compile_monitoring(chosen, context)}


def job(configuration: Object, name: str) -> Any:
    return next(each for each in configuration["scrape_configs"] if each["job_name"] == name)


def written(objects: dict[tuple[str, str], Object], config: str, file: str) -> Any:
    return yaml.safe_load(objects["ConfigMap", config]["data"][file])


def test_a_clusters_prometheus_tells_the_models_servers_apart_as_the_labs_does() -> None:
    here, there = configuration(MonitoringSettings(), STAGING), lab.configuration(Path("/kubeconfig"))
    assert job(here, "models")["relabel_configs"] == job(there, "models")["relabel_configs"]
    assert job(here, "models")["kubernetes_sd_configs"] == [{"role": "endpointslice"}]


def test_every_job_of_the_lab_is_one_of_the_clusters_with_labels_as_honest() -> None:
    here, there = configuration(MonitoringSettings(), STAGING), lab.configuration(Path("/kubeconfig"))
    for each in there["scrape_configs"]:
        assert job(here, each["job_name"]).get("honor_labels") == each.get("honor_labels")


@pytest.mark.parametrize("name", ["flagger", "gateway", "judge", "observe"])
def test_a_target_that_speaks_of_others_gets_no_labels_which_would_rename_its_own(name: str) -> None:
    rules = job(configuration(MonitoringSettings(), STAGING), name)["relabel_configs"]
    assert not [rule for rule in rules if "target_label" in rule]


def test_a_rollout_that_looks_as_often_as_prometheus_is_refused() -> None:
    with pytest.raises(SlipwayError, match=r"monitoring.scrape_interval_seconds: expected at most 5, half of"):
        compiled("dev", scrape_interval_seconds=10)


@pytest.mark.parametrize(("severity", "impact"), TIERS)
def test_nothing_is_above_an_environments_highest_tier(severity: Any, impact: Any) -> None:
    assert tier(severity, impact, "notice") == "notice"
    assert tier(severity, impact, "ticket") != "page"


def test_only_what_users_feel_now_wakes_somebody() -> None:
    assert [key for key, found in TIERS.items() if found == "page"] == [("critical", "users")]


def test_a_quiet_models_alerts_go_down_by_one_tier_and_no_further() -> None:
    rules = written(compiled(quiet_models=("churn",)), "prometheus", "prometheus.yaml")["alerting"]
    lowered = [(rule["regex"], rule["replacement"]) for rule in rules["alert_relabel_configs"]]
    assert lowered == [("(churn);ticket", "notice"), ("(churn);page", "ticket")]


def test_a_models_objectives_are_series_that_alerts_compare_with() -> None:
    groups = written(compiled(), "prometheus", "rules.yaml")["groups"]
    objectives = next(group["rules"] for group in groups if group["name"] == "objectives")
    assert {rule["record"]: rule["expr"] for rule in objectives} == {
        "slipway:objective_error_ratio": "vector(0.005)",
        "slipway:objective_latency_p95_seconds": "vector(0.25)",
    }


def test_addresses_of_receivers_come_from_a_secret_and_stand_nowhere_else() -> None:
    objects = compiled("prod")
    told = json.dumps(written(objects, "alertmanager", "alertmanager.yaml")["receivers"])
    assert "/etc/alertmanager/secrets/page" in told
    assert "http" not in told
    assert ("ExternalSecret", "alertmanager-receivers") in objects


def test_a_changed_rule_starts_prometheus_anew() -> None:
    def revision(**settings: Any) -> str:
        template = compiled(**settings)["Deployment", "prometheus"]["spec"]["template"]
        return str(template["metadata"]["annotations"]["slipway.dev/files"])

    assert revision(highest_tier="page") == revision(highest_tier="page") != revision(highest_tier="notice")


def test_without_a_volume_nothing_is_claimed() -> None:
    objects = compiled(storage_gib=None)
    assert not [name for kind, name in objects if kind == "PersistentVolumeClaim"]
    volumes = objects["Deployment", "prometheus"]["spec"]["template"]["spec"]["volumes"]
    assert {"name": "data", "emptyDir": {}} in volumes


def test_no_pod_may_change_its_own_files_or_become_more_than_nobody() -> None:
    for (kind, name), each in compiled().items():
        if kind == "Deployment":
            spec = each["spec"]["template"]["spec"]
            assert spec["securityContext"]["runAsNonRoot"], name
            assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in spec["containers"]), name


@pytest.mark.parametrize("board", DASHBOARDS, ids=lambda board: board.uid)
def test_a_dashboard_has_no_two_panels_in_one_place(board: Any) -> None:
    made = compile_dashboard(board)
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in made["panels"]]
    assert len(places) == len(set(places))
    assert ("$model" in json.dumps(made["panels"])) == bool(made["templating"]["list"])


def test_pods_are_found_by_their_name_and_port_in_their_namespaces_alone() -> None:
    (found,) = scraping.pods(("slipway",), "slipway-judge", "http")["kubernetes_sd_configs"]
    assert found["namespaces"] == {"names": ["slipway"]}
    assert found["selectors"] == [{"role": "pod", "label": "app.kubernetes.io/name=slipway-judge"}]


def test_alerts_name_commands_and_fields_that_exist() -> None:
    fields = {name for name, _ in schema.fields(ModelSpec)}
    commands = []
    for alert in ALERTS:
        for group, command, rest in re.findall(r"`slipway (\w+) (\w+)([^`]*)`", alert.then):
            commands.append(command)
            done = CliRunner().invoke(root.app, [group, command, "--help"])
            assert done.exit_code == 0, alert.name
            # Without a stack it would ask the lab.
            assert rest.endswith(" --stack <stack>"), alert.name
        for field in re.findall(r"\b(?:serving|llm|rollout|objectives)\.[a-z_.]+[a-z]", alert.then):
            assert field in fields, alert.name
    assert {"status", "rollback", "retry"} <= set(commands)


def test_prometheus_may_read_the_models_in_whichever_namespace_it_is() -> None:
    network, prometheus = {"monitoring_namespace": "observability"}, compiled()["Deployment", "prometheus"]
    with pytest.raises(SlipwayError, match=r"network\.monitoring_namespace: expected 'monitoring', where platform"):
        an_environment(platform={"network": network, "monitoring": {}})
    foreign = an_environment(platform={"network": network}).platform.network
    ours = an_environment(platform={"network": {}, "monitoring": {}}).platform.network
    assert foreign
    assert ours
    assert (foreign.monitoring_namespace, ours.monitoring_namespace) == (
        "observability",
        prometheus["metadata"]["namespace"],
    )
