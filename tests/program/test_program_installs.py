"""Components as the program registers them: each after what it needs, with its outputs."""

from __future__ import annotations

import pytest
from projects import CHECKOUT

from slipway import documents
from slipway.platform import compiling, images
from slipway.settings.platform import Platform
from slipway.tools import toolchain
from stacks import platform

QUOTA = {"cpu": "8", "memory": "32Gi", "pods": 10}


@pytest.fixture
def install(run, monkeypatch):
    """Run the program for systems without charts."""
    monkeypatch.setattr(platform, "inspect", lambda *_: None)
    for name in ("binary", "data"):
        monkeypatch.setattr(toolchain, name, lambda _: CHECKOUT)

    def go(**systems: object):
        settings = {"cluster": {"identifier": "dev"}, "layers": ["platform"], "platform": systems}
        ran = run("dev", settings=settings)
        assert ran.exit_status is None, ran.said
        return ran

    return go


def test_a_quota_is_set_once_its_namespace_is_there(install):
    ran = install(cost={"models": QUOTA, "training": QUOTA}, network={})
    (cost,) = [each for each in ran.engine.registered if each.type == "slipway:cost:Cost"]
    assert {"models", "training", "models/default-deny"} <= cost.depends_on
    told = ran.engine.outputs["slipway-dev"]["platform"]
    assert told["network"] == {"namespaces": ["models", "training"]}
    assert told["cost"]["quotas"]["training"]["requests.cpu"] == "8"


def test_what_is_installed_names_the_digests_of_the_lock_file_which_is_read_once(install, project, monkeypatch):
    image, digest = "quay.io/prometheus/prometheus:v3.5.0", f"sha256:{'0' * 64}"
    documents.write(project.root / images.FILE, images.Images(images={image: digest}))
    reads, load = [], images.load
    monkeypatch.setattr(images, "load", lambda root: reads.append(root) or load(root))
    ran = install(monitoring={"scrape_interval_seconds": 5}, network={})
    (server,) = ran.one("Deployment", "monitoring/prometheus").inputs["spec"]["template"]["spec"]["containers"]
    assert server["image"] == f"{image}@{digest}"
    assert len(reads) == 1


def test_every_system_that_settings_know_has_a_row_that_reads_its_settings_and_a_component_of_its_own():
    for name in Platform.model_fields:
        alone = Platform.model_construct(**{name: name})
        assert [row.name for row in compiling.SYSTEMS if row.settings(alone)] == [name]
    assert tuple(platform.COMPONENTS) == compiling.SYSTEMS
    tokens = [component.TOKEN for component in platform.COMPONENTS.values()]
    assert tokens == [f"slipway:{row.name}:{platform.COMPONENTS[row].__name__}" for row in compiling.SYSTEMS]
