"""Whom an alert reaches: by Alertmanager's own amtool."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
import yaml
from judge_stage import until

from slipway.platform.alertmanager import configuration
from slipway.platform.alerts import ALERTS, Alert
from slipway.platform.tiers import tier
from slipway.tools import toolchain

pytestmark = pytest.mark.platform


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    toolchain.ensure("alertmanager")
    content = configuration({"page": "pagerduty", "ticket": "slack", "notice": "webhook"}, "http://argo/retrain")
    file = tmp_path_factory.mktemp("alertmanager") / "alertmanager.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def amtool(*arguments: str) -> str:
    done = subprocess.run([str(toolchain.binary("amtool")), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def routed(file: Path, **labels: str) -> str:
    given = [f"{name}={value}" for name, value in labels.items()]
    return amtool("config", "routes", "test", f"--config.file={file}", *given)


def test_alertmanager_takes_the_configuration(file: Path) -> None:
    assert "SUCCESS" in amtool("check-config", str(file))


def test_alertmanager_takes_it_where_nobody_is_told(tmp_path: Path) -> None:
    (tmp_path / "alertmanager.yaml").write_text(yaml.safe_dump(configuration({}, None)))
    assert "SUCCESS" in amtool("check-config", str(tmp_path / "alertmanager.yaml"))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_reaches_its_tier(file: Path, alert: Alert) -> None:
    reached = tier(alert.severity, alert.impact)
    expected = f"retraining,{reached}" if alert.name == "InputsDrifted" else reached
    assert routed(file, alertname=alert.name, tier=reached, model="churn") == expected


def test_what_names_no_tier_is_not_lost(file: Path) -> None:
    assert routed(file, alertname="SomebodyElses") == "ticket"


@pytest.fixture
def alertmanager(file: Path, tmp_path: Path) -> Iterator[str]:
    """A running one, by its address; nobody is told, as the secrets are not there."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [f"--config.file={file}", f"--storage.path={tmp_path}", f"--web.listen-address={address}"]
    binary = str(toolchain.binary("alertmanager"))
    process = subprocess.Popen([binary, *command, "--cluster.listen-address="], stderr=subprocess.DEVNULL)

    def ready() -> bool:
        with suppress(requests.ConnectionError):
            return requests.get(f"http://{address}/-/ready", timeout=5).ok
        return False

    until(ready, 20, "Alertmanager answers")
    yield f"http://{address}/api/v2/alerts"
    process.terminate()
    process.wait(20)


def test_a_page_silences_what_follows_from_it_and_nothing_else(alertmanager: str) -> None:
    firing = [
        ("ModelFailing", "churn"),
        ("ModelSlow", "churn"),
        ("ModelSlow", "fraud"),
        ("RolloutRolledBack", "churn"),
        ("GatewayDown", ""),
        ("ModelUnasked", "fraud"),
        ("JudgeDown", ""),
        ("GpuMemoryFull", ""),
    ]
    severity = {alert.name: alert for alert in ALERTS}
    sent = [
        {
            "alertname": name,
            "tier": tier(severity[name].severity, severity[name].impact),
            "impact": severity[name].impact,
            **({"namespace": "models", "model": model} if model else {}),
        }
        for name, model in firing
    ]
    requests.post(alertmanager, json=[{"labels": labels} for labels in sent], timeout=5).raise_for_status()
    until(lambda: len(requests.get(alertmanager, timeout=5).json()) == len(firing), 20, "all alerts are there")
    silenced = {
        (each["labels"]["alertname"], each["labels"].get("model"))
        for each in requests.get(alertmanager, timeout=5).json()
        if each["status"]["inhibitedBy"]
    }
    assert silenced == {("ModelSlow", "churn"), ("ModelUnasked", "fraud")}
