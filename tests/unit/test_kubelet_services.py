"""What Services mean, without any that listen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from slipway.errors import SlipwayError
from slipway.lab import platform
from slipway.lab.kubelet.platform_images import platform_images
from slipway.lab.kubelet.proxy import ServiceProxy
from slipway.lab.kubelet.services import hosts, names, routes
from slipway.settings.environment import Environment

CHECKOUT = Path(__file__).resolve().parents[2]
Object = dict[str, Any]


def service(called: str, address: str = "None", **port: Any) -> Object:
    spec = {"clusterIP": address, "ports": [{"port": 80, **port}]}
    return {"metadata": {"name": called, "namespace": "shop"}, "spec": spec}


def pieces(owner: str, *ends: Object, **port: Any) -> Object:
    meta = {
        "name": f"{owner}-x",
        "namespace": "shop",
        "uid": f"{owner}-x",
        "labels": {"kubernetes.io/service-name": owner},
    }
    return {
        "metadata": meta,
        "addressType": "IPv4",
        "ports": [{"name": "", "port": 8080, **port}],
        "endpoints": list(ends),
    }


def end(address: str, ready: bool | None = True, **more: Any) -> Object:
    return {"addresses": [address], "conditions": {} if ready is None else {"ready": ready}, **more}


def test_an_address_leads_to_the_pods_that_are_ready_at_the_port_of_that_name() -> None:
    front = service("web", "10.96.0.5", name="http")
    ends = pieces("web", end("10.244.1.1"), end("10.244.1.2", ready=False), end("10.244.1.3", ready=None), name="http")
    other = pieces("web", end("10.244.1.9"), name="metrics", port=9090)
    assert routes([front], [ends, other]) == {("10.96.0.5", 80): (("10.244.1.1", 8080), ("10.244.1.3", 8080))}


def test_a_service_without_an_address_or_of_another_protocol_leads_nowhere() -> None:
    assert routes([service("headless"), service("dns", "10.96.0.6", protocol="UDP")], []) == {}


def test_a_headless_service_is_the_name_of_its_pods_one_by_one_where_they_have_a_host_name() -> None:
    ends = pieces("db", end("10.244.1.1", hostname="db-0"), end("10.244.1.2", hostname="db-1", ready=False))
    found = names([service("db"), service("web", "10.96.0.5")], [ends])
    assert [(each.name, each.addresses) for each in found] == [
        ("db", ("10.244.1.1",)),
        ("db-0.db", ("10.244.1.1",)),
        ("web", ("10.96.0.5",)),
    ]


def test_only_the_namespace_itself_may_leave_its_name_out() -> None:
    known = names([service("web", "10.96.0.5")], [])
    whole = "10.96.0.5 web.shop.svc.cluster.local web.shop.svc web.shop"
    assert hosts(known, "shop") == f"{whole} web\n"
    assert hosts(known, "other") == f"{whole}\n"


def test_the_file_of_hosts_keeps_the_machines_own_names_and_its_identity(tmp_path: Path) -> None:
    own = tmp_path / "machine"
    own.write_text("127.0.0.1 localhost")
    (mount, _) = ServiceProxy(tmp_path / "names", own).mounts("shop")
    assert (mount.target, Path(mount.source).read_text()) == ("/etc/hosts", "127.0.0.1 localhost\n")


def test_every_part_of_the_platform_has_settings_that_the_program_takes_and_images_that_the_kubelet_knows() -> None:
    stack = platform.settings(CHECKOUT, platform.PARTS)["config"]
    schema = yaml.safe_load((CHECKOUT / "Pulumi.yaml").read_text())["config"]
    values = {key: entry["default"] for key, entry in schema.items() if "default" in entry} | stack
    plain = {key.removeprefix("slipway:"): value for key, value in values.items() if key.startswith("slipway:")}
    environment = Environment.parse(platform.STACK, plain, "lab")
    assert environment.layers == ("platform",)
    assert all(getattr(environment.platform, name) for name in platform.PARTS)
    assert all(entry["files"] for entry in platform_images(lambda name: Path(f"/bin/{name}")).values())


def test_a_part_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    assert platform.wanted(["kyverno"]) == ["kyverno"]
    # A policy's kind comes with who keeps to it.
    assert platform.wanted(["mlflow,policies", "kyverno"]) == ["mlflow", "kyverno", "policies"]
    with pytest.raises(SlipwayError, match=r"--with kyvreno: no such part of the platform; expected one of .*kyverno"):
        platform.wanted(["kyvreno"])
