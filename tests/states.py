"""Clusters in some state of a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from builders import a_release

from slipway.models.pins import load_pins
from slipway.models.release import Releases
from slipway.rollout.observed import ObservedModel, ObservedService

STABLE, CANDIDATE = a_release("churn", 7), a_release("churn", 8)


def seen(live: int, target: int, phase: str, *versions: int) -> dict[str, ObservedModel]:
    """Say what a cluster shows of `churn`; `versions` are those that run."""
    services = {
        f"churn-v{version}": ObservedService(version, release.id, True, "sha256:" + "0" * 64, release.artifact.digest)
        for version, release in ((7, STABLE), (8, CANDIDATE))
        if version in versions
    }
    return {"churn": ObservedModel(live, target, phase, services)}


def serving(project: Path, environment: str) -> dict[str, ObservedModel]:
    """Say what a cluster shows of an environment's pins: each stable release serves, each candidate is tried."""
    releases, found = Releases(project / "releases"), {}
    for name, pin in load_pins(project / "pins" / f"{environment}.yaml").models.items():
        wanted = filter(None, (pin.stable, pin.candidate))
        runs = [release for each in wanted if (release := releases.find(name, each))]
        services = {
            f"{name}-v{each.version}": ObservedService(each.version, each.id, True, "", each.artifact.digest)
            for each in runs
        }
        phase = "Progressing" if pin.candidate else "Initialized"
        found[name] = ObservedModel(runs[0].version, runs[-1].version, phase, services)
    return found


#: What AWS says of a resource once it is made, of what the program reads.
MADE_BY_AWS: Mapping[str, Mapping[str, Any]] = {
    "aws:ec2/launchTemplate:LaunchTemplate": {"latestVersion": 1},
    "aws:eks/cluster:Cluster": {
        "endpoint": "https://cluster.example.com",
        "certificateAuthority": {"data": "Q0E="},
        "vpcConfig": {"clusterSecurityGroupId": "sg-nodes"},
    },
    "aws:rds/instance:Instance": {
        "address": "db.example.com",
        "masterUserSecrets": [{"secretArn": "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!db-1"}],
    },
}
