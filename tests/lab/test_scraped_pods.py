"""Prometheus finds the pods that the other components install: by their label, their namespace, their port's name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from projects import CHECKOUT

from slipway.objects import Object
from slipway.platform.charts import Charts
from slipway.platform.compiling import SYSTEMS
from slipway.platform.context import Context
from slipway.platform.monitoring import configuration
from slipway.settings.monitoring import MonitoringSettings
from slipway.settings.stack_file import read_environment
from slipway.tools import toolchain

PROD = read_environment(CHECKOUT, "prod")
#: Job to the component whose pods it asks; `gpu` asks what somebody else runs.
ASKED = {
    "flagger": "flagger",
    "gateway": "gateway",
    "judge": "services",
    "observe": "services",
    "kube-state-metrics": "monitoring",
}


def pods(component: str) -> Iterator[tuple[str, Object]]:
    """Every pod that a component makes in production, with its namespace."""
    charts = Charts(toolchain.binary("helm"), toolchain.data("charts"), toolchain.cache() / "rendered")
    (system,) = (each for each in SYSTEMS if each.name == component)
    for each in system.objects(Context(PROD, charts)):
        if each["kind"] in ("Deployment", "DaemonSet", "StatefulSet"):
            yield each["metadata"]["namespace"], each["spec"]["template"]


def ports(pod: Object) -> set[str]:
    return {port.get("name", "") for each in pod["spec"]["containers"] for port in each.get("ports", ())}


@pytest.mark.parametrize("name", ASKED)
def test_a_job_finds_exactly_one_pod_of_its_component(name: str) -> None:
    jobs: dict[str, Any] = {
        each["job_name"]: each for each in configuration(MonitoringSettings(), PROD)["scrape_configs"]
    }
    (search,), (keep,) = jobs[name]["kubernetes_sd_configs"], jobs[name]["relabel_configs"]
    label, _, value = search["selectors"][0]["label"].partition("=")
    found = [
        pod
        for namespace, pod in pods(ASKED[name])
        if namespace in search["namespaces"]["names"]
        and pod["metadata"]["labels"].get(label) == value
        and keep["regex"] in ports(pod)
    ]
    assert len(found) == 1


def test_no_job_that_searches_pods_is_left_out() -> None:
    searched = {
        each["job_name"]
        for each in configuration(MonitoringSettings(), PROD)["scrape_configs"]
        if each["kubernetes_sd_configs"][0]["role"] == "pod"
    }
    assert searched == {*ASKED, "gpu"}
