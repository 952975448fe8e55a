"""The platform and the models in stacks of their own, by the real engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from local_stack import MODEL, Stack

from slipway.engine.deploy import Deployment
from slipway.errors import ExitCode, SlipwayError

TEMPLATE = ("flagger.app/v1beta1", "MetricTemplate")


def test_models_stand_on_the_stack_under_them(lab: Any, tmp_path: Path) -> None:
    models = Stack(lab, tmp_path)
    own = yaml.safe_load(models.settings.read_text())
    own["config"]["slipway:layers"] = ["platform", "metrics"]
    (tmp_path / "Pulumi.ground.yaml").write_text(yaml.safe_dump(own))
    models.set(layers=["models"], platform_stack="ground")
    ground, above = Deployment(tmp_path, "ground", models.env), models.deployment()
    ground.preview()
    with pytest.raises(
        SlipwayError, match="ground has not been deployed; `slipway up -s ground` comes first"
    ) as raised:
        above.up()
    assert raised.value.exit_code is ExitCode.UNREACHABLE

    ground.up()
    templates = {each["metadata"]["name"] for each in lab.kube.list(*TEMPLATE, "models")}
    assert templates
    assert list(above.up().models) == [MODEL]
    try:
        types = {entry["urn"].split("::")[2].rpartition("$")[2] for entry in _resources(models)}
        assert "pulumi:pulumi:StackReference" in types
        assert "kubernetes:flagger.app/v1beta1:MetricTemplate" not in types
        assert models.up("--expect-no-changes")
    finally:
        above.destroy()
    # What other stacks need as well is not this one's to take away.
    assert {each["metadata"]["name"] for each in lab.kube.list(*TEMPLATE, "models")} == templates
    ground.destroy()


def _resources(stack: Stack) -> list[dict[str, Any]]:
    found = yaml.safe_load(stack.pulumi("stack", "export").stdout)["deployment"]["resources"]
    return [*found]
