"""Whom an alert reaches: by Alertmanager's own amtool."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from slipway.lab import toolchain
from slipway.platform.alertmanager import configuration
from slipway.platform.alerts import ALERTS, Alert
from slipway.platform.tiers import tier

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
