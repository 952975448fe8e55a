"""Velero: what is backed up, where to, for how long, with what it may do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders import an_environment
from projects import CHECKOUT

from slipway.errors import SlipwayError
from slipway.platform.backup import compile_backup
from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.settings.operating import BackupSettings
from slipway.settings.stack_file import read_environment
from slipway.tools import toolchain

BUCKET = {"bucket": "backups", "region": "eu-central-1"}


def compiled(**settings: Any) -> dict[str, dict[str, Any]]:
    """What is installed, by kind; of the definitions only one is kept."""
    context = Context(an_environment("prod"), Charts(toolchain.binary("helm"), toolchain.data("charts")))
    return {each["kind"]: each for each in compile_backup(BackupSettings(**{**BUCKET, **settings}), context)}


def test_everything_is_backed_up_every_night_but_what_belongs_to_the_cluster_itself() -> None:
    spec = compiled(keep_days=90)["Schedule"]["spec"]
    assert spec["schedule"] == "17 2 * * *"
    assert spec["template"]["includedNamespaces"] == ["*"]
    assert set(spec["template"]["excludedNamespaces"]) == {"kube-system", "kube-public", "kube-node-lease", "velero"}
    assert spec["template"]["ttl"] == "2160h0m0s"
    assert spec["template"]["snapshotVolumes"] is True


def test_each_environment_has_a_place_of_its_own_in_the_bucket() -> None:
    location = compiled()["BackupStorageLocation"]["spec"]
    assert location["objectStorage"] == {"bucket": "backups", "prefix": "prod"}
    assert location["default"] is True
    assert "credential" not in location


def test_another_s3_is_asked_by_its_own_address() -> None:
    config = compiled(endpoint="https://s3.example.com")["BackupStorageLocation"]["spec"]["config"]
    assert config == {"region": "eu-central-1", "s3Url": "https://s3.example.com", "s3ForcePathStyle": "true"}


def test_volumes_can_be_left_out() -> None:
    objects = compiled(volumes=False)
    assert "VolumeSnapshotLocation" not in objects
    assert objects["Schedule"]["spec"]["template"]["snapshotVolumes"] is False


def test_the_server_of_the_definitions_version_runs_confined_under_the_account_that_has_the_role() -> None:
    pod = compiled()["Deployment"]["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "velero"
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
    pinned = (toolchain.TOOLS / "charts" / "go.mod").read_text()
    assert f"vmware-tanzu/velero {pod['containers'][0]['image'].partition(':')[2]}\n" in pinned


@pytest.mark.parametrize("schedule", ["every night", "17 2 * *"])
def test_what_cron_does_not_know_is_refused(schedule: str) -> None:
    with pytest.raises(ValueError, match="schedule"):
        BackupSettings(**BUCKET, schedule=schedule)


@pytest.mark.parametrize(("given", "missing"), [({}, "bucket"), ({"bucket": "backups"}, "region")])
def test_backups_that_could_go_nowhere_are_refused(given: dict[str, str], missing: str) -> None:
    context = Context(an_environment("prod"), Charts(Path("no-helm"), Path("no-charts")))
    with pytest.raises(SlipwayError, match=rf"Pulumi\.prod\.yaml: slipway:platform\.backup\.{missing}: missing"):
        compile_backup(BackupSettings(**given), context)


def test_beside_a_cluster_on_aws_there_is_a_bucket() -> None:
    environment = read_environment(CHECKOUT, "prod")
    assert environment.platform.backup is not None
    context = Context(environment, Charts(toolchain.binary("helm"), toolchain.data("charts")))
    (found,) = [
        each for each in compile_backup(environment.platform.backup, context) if each["kind"] == "BackupStorageLocation"
    ]
    eks = environment.cluster.eks
    assert eks is not None
    assert found["spec"]["objectStorage"]["bucket"] == f"slipway-prod-backup-{eks.account}-{eks.region}"
