"""From a pod's spec to processes, environment, mounts."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import SlipwayError
from slipway.lab.kubelet.images import ImageTable, read_images, standard_images
from slipway.lab.kubelet.kubelet import to_schedule
from slipway.lab.kubelet.plan import ContainerPlan, Mount, check_pod, plan_container
from slipway.lab.kubelet.refusal import Refusal
from slipway.lab.kubelet.variables import Sources, decode, expand, references
from slipway.lab.kubelet.volumes import volume_files, write_volume

Object = dict[str, Any]
ADDRESS = "10.244.1.7"
TABLE = ImageTable.parse(
    {
        "server:*": {
            "venv": "/venvs/server",
            "entrypoint": ["serve"],
            "command": ["/models"],
            "env": {"MODE": "image", "LEVEL": "1"},
        },
        "busybox": {"command": ["/bin/sh"]},
        "empty": {},
    },
    "images.json",
)
SOURCES = Sources(
    secrets={"keys": {"id": b"me", "secret": b"s3cret"}}, config_maps={"settings": {"COLOUR": b"blue", "a.b": b"c"}}
)


def pod(container: Object, **spec: Any) -> Object:
    metadata = {
        "name": "churn-v8-0",
        "namespace": "models",
        "uid": "1234",
        "labels": {"slipway.dev/model": "churn"},
        "annotations": {"note": "it's new"},
    }
    spec = {"containers": [{"name": "main", "image": "busybox", **container}], "nodeName": "n", **spec}
    return {"metadata": metadata, "spec": spec}


def plan(container: Object, **spec: Any) -> ContainerPlan:
    whole = pod(container, **spec)
    return plan_container(whole["spec"]["containers"][0], whole, TABLE, SOURCES, ADDRESS, Path("/state/run/1234"))


def env(*entries: Object, **container: Any) -> dict[str, str]:
    return dict(plan({"env": list(entries), **container}).env)


def reason(container: Object, **spec: Any) -> Refusal:
    with pytest.raises(Refusal) as caught:
        plan(container, **spec)
    return caught.value


@pytest.mark.parametrize(
    ("container", "argv"),
    [
        ({}, ("serve", "/models")),
        ({"args": ["/other"]}, ("serve", "/other")),
        ({"command": ["debug"]}, ("debug",)),
        ({"command": ["debug"], "args": ["x"]}, ("debug", "x")),
    ],
)
def test_command_and_args_replace_those_of_the_image_as_in_oci(container: Object, argv: tuple[str, ...]) -> None:
    assert plan({"image": "server:1", **container}).argv == argv


def test_an_image_brings_its_environment_and_the_container_overrides_it() -> None:
    found = env({"name": "MODE", "value": "pod"}, image="server:1")
    assert found["PATH"].startswith("/venvs/server/bin:")
    assert (found["MODE"], found["LEVEL"]) == ("pod", "1")


def test_an_image_without_a_command_needs_one_from_the_container() -> None:
    assert reason({"image": "empty"}).reason == "CreateContainerError"


def test_an_exact_image_goes_before_a_pattern_and_a_registry_prefix_of_docker_hub_does_not_matter() -> None:
    table = ImageTable.parse({"a:*": {"command": ["pattern"]}, "a:1": {"command": ["exact"]}}, "images.json")
    found = [table.find(name) for name in ("a:1", "a:2", "docker.io/library/a:2", "b:1")]
    assert [image and image.command for image in found] == [("exact",), ("pattern",), ("pattern",), None]


def test_an_unknown_image_is_refused_by_name_with_those_that_are_known() -> None:
    refusal = reason({"image": "nginx:1"})
    assert refusal.reason == "ErrImagePull"
    assert not refusal.retry
    assert "'nginx:1' is not in the lab's image table" in refusal.message
    assert "busybox, empty, server:*" in refusal.message


def test_an_unknown_field_of_the_table_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "images.json"
    file.write_text(json.dumps({"a:*": {"cmd": ["x"]}}))
    with pytest.raises(SlipwayError, match=r"images\.json: a:\*: unknown field 'cmd'"):
        read_images(file)


def test_the_labs_own_table_stands_for_kserves_initializer_and_our_server() -> None:
    table = ImageTable.parse(standard_images(Path("/m"), Path("/k")), "standard")
    initializer = table.find("kserve/storage-initializer:v0.20.0")
    server = table.find("slipway.dev/mlserver:1.7.1-mlflow3.17.2")
    assert initializer
    assert server
    assert Path(initializer.entrypoint[1]).exists()
    assert server.command == ("mlserver", "start", "/mnt/models")
    assert table.find("seldonio/mlserver:1.7.1") is None


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)/x", "1/x"),
        ("$$(A)", "$(A)"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$A $ $(", "$A $ $("),
        ("$(A)$(B)", "12"),
    ],
)
def test_references_to_variables_are_expanded_as_kubernetes_does(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_a_variable_may_use_those_before_it_and_a_command_may_use_all() -> None:
    entries = [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2$(C)"}, {"name": "C", "value": "3"}]
    found = plan({"env": entries, "command": ["run", "$(B)", "$(C)"]})
    assert found.argv == ("run", "12$(C)", "3")


def test_values_come_from_secrets_config_maps_and_the_pod() -> None:
    def source(name: str, **reference: Any) -> Object:
        return {"name": name, "valueFrom": reference}

    found = env(
        source("S", secretKeyRef={"name": "keys", "key": "secret"}),
        source("C", configMapKeyRef={"name": "settings", "key": "COLOUR"}),
        source("P", fieldRef={"fieldPath": "status.podIP"}),
        source("L", fieldRef={"fieldPath": "metadata.labels['slipway.dev/model']"}),
        source("O", secretKeyRef={"name": "absent", "key": "k", "optional": True}),
        envFrom=[{"prefix": "X_", "configMapRef": {"name": "settings"}}, {"secretRef": {"name": "keys"}}],
    )
    assert [found[name] for name in ("S", "C", "P", "L")] == ["s3cret", "blue", ADDRESS, "churn"]
    assert "O" not in found
    assert (found["X_COLOUR"], found["id"]) == ("blue", "me")


@pytest.mark.parametrize(
    ("reference", "message"),
    [({"name": "absent", "key": "k"}, "secret 'absent' not found"), ({"name": "keys", "key": "k"}, "has no key 'k'")],
)
def test_a_missing_secret_or_key_is_named_and_waited_for(reference: Object, message: str) -> None:
    refusal = reason({"env": [{"name": "S", "valueFrom": {"secretKeyRef": reference}}]})
    assert message in refusal.message
    assert refusal.retry


def test_an_unknown_source_of_a_value_is_refused() -> None:
    refusal = reason({"env": [{"name": "M", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}}]})
    assert refusal.message == "the lab's kubelet does not support env M: valueFrom resourceFieldRef"


def test_what_a_pod_refers_to_is_found_wherever_it_stands() -> None:
    found = references(
        pod(
            {
                "env": [{"name": "S", "valueFrom": {"secretKeyRef": {"name": "a", "key": "k"}}}],
                "envFrom": [{"configMapRef": {"name": "b"}}],
            },
            volumes=[
                {"name": "v", "secret": {"secretName": "c"}},
                {"name": "w", "projected": {"sources": [{"configMap": {"name": "d"}}]}},
            ],
        )
    )
    assert found == {("Secret", "a"), ("ConfigMap", "b"), ("Secret", "c"), ("ConfigMap", "d")}


def test_secrets_are_decoded_and_both_kinds_of_config_map_data_are_read() -> None:
    encoded = base64.b64encode(b"\xff").decode()
    assert decode("Secret", {"data": {"a": encoded}}) == {"a": b"\xff"}
    assert decode("ConfigMap", {"data": {"a": "text"}, "binaryData": {"b": encoded}}) == {"a": b"text", "b": b"\xff"}


def test_mounts_follow_the_volume_mounts_with_inner_ones_after_outer_ones() -> None:
    found = plan(
        {
            "volumeMounts": [
                {"name": "conf", "mountPath": "/mnt/models/conf"},
                {"name": "models", "mountPath": "/mnt/models/", "readOnly": True},
                {"name": "models", "mountPath": "/scratch", "subPath": "part"},
            ]
        },
        volumes=[{"name": "models", "emptyDir": {}}, {"name": "conf", "configMap": {"name": "settings"}}],
    )
    volumes = "/state/run/1234/volumes"
    assert found.mounts == (
        Mount(f"{volumes}/models", "/mnt/models", True),
        Mount(f"{volumes}/conf", "/mnt/models/conf", True),
        Mount(f"{volumes}/models/part", "/scratch", False),
    )


def test_a_sub_path_must_stay_in_its_volume() -> None:
    mount = {"name": "v", "mountPath": "/v", "subPath": "../../other"}
    refusal = reason({"volumeMounts": [mount]}, volumes=[{"name": "v", "emptyDir": {}}])
    assert "outside the volume" in refusal.message


@pytest.mark.parametrize(
    ("volume", "files"),
    [
        ({"emptyDir": {}}, {}),
        ({"secret": {"secretName": "keys"}}, {"id": b"me", "secret": b"s3cret"}),
        ({"secret": {"secretName": "absent", "optional": True}}, {}),
        ({"configMap": {"name": "settings", "items": [{"key": "a.b", "path": "x/y"}]}}, {"x/y": b"c"}),
        (
            {
                "projected": {
                    "sources": [
                        {"secret": {"name": "keys", "items": [{"key": "id", "path": "who"}]}},
                        {"downwardAPI": {"items": [{"path": "l", "fieldRef": {"fieldPath": "metadata.labels"}}]}},
                    ]
                }
            },
            {"who": b"me", "l": b'slipway.dev/model="churn"'},
        ),
    ],
)
def test_a_volume_starts_with_the_files_of_its_source(volume: Object, files: dict[str, bytes]) -> None:
    assert volume_files({"name": "v", **volume}, pod({}), SOURCES, ADDRESS) == files


def test_an_unknown_kind_of_volume_is_refused_by_name() -> None:
    with pytest.raises(Refusal, match="volume disk: hostPath"):
        volume_files({"name": "disk", "hostPath": {"path": "/"}}, pod({}), SOURCES, ADDRESS)


def test_a_path_that_leaves_its_volume_is_refused() -> None:
    volume = {"name": "v", "secret": {"secretName": "keys", "items": [{"key": "id", "path": "../x"}]}}
    with pytest.raises(Refusal, match="outside the volume"):
        volume_files(volume, pod({}), SOURCES, ADDRESS)


def test_files_of_a_volume_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    write_volume(tmp_path / "v", {"a/b": b"x"})
    assert (tmp_path / "v/a/b").read_bytes() == b"x"
    assert (tmp_path / "v/a/b").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("container", "spec", "message"),
    [
        ({}, {"hostNetwork": True}, "hostNetwork"),
        ({"lifecycle": {"postStart": {"exec": {}}}}, {}, "lifecycle.postStart"),
        ({"readinessProbe": {"grpc": {"port": 9000}}}, {}, "a grpc probe"),
        ({"readinessProbe": {"httpGet": {"port": "web"}}}, {}, "port 'web', which it does not declare"),
        ({"volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": "$(A)"}]}, {}, "subPathExpr"),
    ],
)
def test_what_is_not_supported_is_refused_before_anything_starts(container: Object, spec: Object, message: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_pod(pod(container, **spec), TABLE)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("metadata", "spec", "wanted"),
    [
        ({}, {}, True),
        ({}, {"nodeName": "n"}, False),
        ({}, {"schedulingGates": [{"name": "g"}]}, False),
        ({}, {"schedulerName": "other"}, False),
        ({"deletionTimestamp": "2026-01-01T00:00:00Z"}, {}, False),
    ],
)
def test_only_a_pod_that_waits_for_this_scheduler_is_bound(metadata: Object, spec: Object, wanted: bool) -> None:
    assert to_schedule({"metadata": metadata, "spec": spec}) is wanted
