"""Which Kubernetes plugin is used, and how the stand-in reads its settings."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from slipway.errors import SlipwayError
from slipway.lab.plugin import check, choice, config, operations
from slipway.lab.plugin.choice import BINARY, choose, find_official, sdk_version, write_launcher
from slipway.lab.plugin.config import Settings
from slipway.lab.plugin.values import UNKNOWN, Secret


def executable(file: Path, text: str = "#!/bin/sh\necho official $*\n") -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    file.chmod(0o755)
    return file


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """Variables of a machine without any plugin."""
    return {"PATH": str(tmp_path / "path"), "HOME": str(tmp_path / "home"), "PULUMI_HOME": str(tmp_path / "pulumi")}


@pytest.mark.parametrize("where", ["home/.pulumi/plugins/{dir}", "pulumi/plugins/{dir}", "path"])
def test_the_official_plugin_is_taken_wherever_it_is(machine: dict[str, str], tmp_path: Path, where: str) -> None:
    directory = where.format(dir=f"resource-kubernetes-v{sdk_version()}")
    official = executable(tmp_path / directory / BINARY)

    chosen = choose(tmp_path / "state", environ=machine)

    assert chosen == choice.Choice("official", f"found {official}", official)
    assert not (tmp_path / "state").exists(), "no launcher is left about that could shadow it"


def test_without_the_official_plugin_the_stand_in_is_taken_and_that_is_said(
    machine: dict[str, str], tmp_path: Path
) -> None:
    chosen = choose(tmp_path, environ=machine)

    assert str(chosen) == "Kubernetes plugin: stand-in (the official plugin is not installed)"
    assert chosen.path == tmp_path / "bin" / BINARY
    assert choose(tmp_path, environ=machine) == chosen
    with pytest.raises(dataclasses.FrozenInstanceError):
        chosen.kind = "official"  # type: ignore[misc]


def test_our_own_launcher_on_the_path_is_not_taken_for_the_official_plugin(
    machine: dict[str, str], tmp_path: Path
) -> None:
    write_launcher(tmp_path / "path")
    write_launcher(tmp_path / f"pulumi/plugins/resource-kubernetes-v{sdk_version()}")

    assert find_official(machine) is None


def test_a_plugin_of_another_version_in_the_cache_does_not_count(machine: dict[str, str], tmp_path: Path) -> None:
    executable(tmp_path / "pulumi/plugins/resource-kubernetes-v3.0.0" / BINARY)

    assert find_official(machine) is None


def test_the_stand_in_becomes_the_official_plugin_even_if_the_engine_found_the_stand_in_first(
    machine: dict[str, str], tmp_path: Path
) -> None:
    launcher = write_launcher(tmp_path / "ours")
    executable(tmp_path / "path" / BINARY)
    environ = {**machine, "PATH": f"{tmp_path / 'ours'}:{tmp_path / 'path'}:/usr/bin:/bin"}

    done = subprocess.run([launcher, "--flag", "127.0.0.1:1"], env=environ, capture_output=True, text=True, timeout=30)

    assert done.stdout == "official --flag 127.0.0.1:1\n"


def test_a_person_who_starts_the_plugin_is_told_who_does_that(machine: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run([write_launcher(tmp_path)], env=machine, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "Pulumi starts this itself" in done.stderr


def test_a_download_is_tried_once_per_version_and_what_it_brings_is_used(
    machine: dict[str, str], tmp_path: Path
) -> None:
    target = tmp_path / f"pulumi/plugins/resource-kubernetes-v{sdk_version()}"
    pulumi = executable(
        tmp_path / "pulumi-cli",
        f'#!/bin/sh\n[ "$*" = "plugin install resource kubernetes {sdk_version()}" ] || exit 1\n'
        f"/bin/mkdir -p {target}; /bin/cp {tmp_path}/pulumi-cli {target / BINARY}\n",
    )

    chosen = choose(tmp_path / "state", install=True, pulumi=str(pulumi), environ=machine)

    assert (chosen.kind, chosen.path) == ("official", target / BINARY)


def test_a_failed_download_is_remembered_with_its_reason(machine: dict[str, str], tmp_path: Path) -> None:
    pulumi = executable(
        tmp_path / "pulumi-cli", f"#!/bin/sh\necho x >> {tmp_path}/calls\necho 'error: 403 refused' >&2\nexit 255\n"
    )

    first = choose(tmp_path, install=True, pulumi=str(pulumi), environ=machine)
    second = choose(tmp_path, install=True, pulumi=str(pulumi), environ=machine)

    assert first == second
    assert first.reason == f"{sdk_version()} cannot be downloaded (403 refused)"
    assert (tmp_path / "calls").read_text() == "x\n"


def test_a_missing_cli_is_not_remembered(machine: dict[str, str], tmp_path: Path) -> None:
    chosen = choose(tmp_path, install=True, pulumi=str(tmp_path / "none"), environ=machine)

    assert chosen.kind == "stand-in"
    assert not (tmp_path / "kubernetes-plugin.json").exists()


def test_the_launcher_runs_with_this_interpreter_whatever_the_path_says(tmp_path: Path) -> None:
    assert sys.executable in write_launcher(tmp_path).read_text()


def kubeconfig(server: str, **more: Any) -> str:
    return json.dumps(
        {
            "current-context": "a",
            "contexts": [{"name": "a", "context": {"cluster": "a", "namespace": "models"}}],
            "clusters": [{"name": "a", "cluster": {"server": server, **more}}],
        }
    )


ONE, OTHER = kubeconfig("https://127.0.0.1:1"), kubeconfig("https://127.0.0.1:2")


@pytest.mark.parametrize(
    ("olds", "news", "changed", "replaces"),
    [
        ({"kubeconfig": ONE}, {"kubeconfig": ONE}, [], []),
        ({"kubeconfig": ONE}, {"kubeconfig": OTHER}, ["kubeconfig"], ["kubeconfig"]),
        ({"kubeconfig": ONE}, {"kubeconfig": UNKNOWN}, ["kubeconfig"], ["kubeconfig"]),
        ({"kubeconfig": ONE, "namespace": "a"}, {"kubeconfig": ONE, "namespace": "b"}, ["namespace"], []),
        ({"kubeconfig": ONE}, {"kubeconfig": ONE + " "}, ["kubeconfig"], []),
        (
            {"kubeconfig": ONE, "clusterIdentifier": "x"},
            {"kubeconfig": OTHER, "clusterIdentifier": "x"},
            ["kubeconfig"],
            [],
        ),
        (
            {"kubeconfig": ONE, "clusterIdentifier": "x"},
            {"kubeconfig": UNKNOWN, "clusterIdentifier": "x"},
            ["kubeconfig"],
            [],
        ),
        (
            {"kubeconfig": ONE, "clusterIdentifier": "x"},
            {"kubeconfig": ONE, "clusterIdentifier": "y"},
            ["clusterIdentifier"],
            ["clusterIdentifier"],
        ),
        ({"kubeconfig": ONE}, {"kubeconfig": ONE, "clusterIdentifier": "y"}, ["clusterIdentifier"], []),
    ],
)
def test_only_another_cluster_replaces_the_provider(
    olds: dict[str, Any], news: dict[str, Any], changed: list[str], replaces: list[str]
) -> None:
    assert config.compare(olds, news) == (changed, replaces)


def test_a_kubeconfig_may_be_given_as_contents_or_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(ONE)

    for given in (ONE, str(tmp_path / "config"), "# a comment\n" + ONE):
        kube = Settings.read({"kubernetes:config:kubeconfig": given}, {}).connect()
        assert (kube.server, kube.namespace) == ("https://127.0.0.1:1", "models")


def test_a_kubeconfig_that_is_missing_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SlipwayError, match="none: not a readable kubeconfig"):
        Settings.read({"kubernetes:config:kubeconfig": str(tmp_path / "none")}, {}).connect()


def test_switches_come_from_the_provider_first_then_from_the_environment() -> None:
    given = {"kubernetes:config:upsertExistingObjects": "false", "kubernetes:config:enableConfigMapMutable": "true"}
    environ = {"PULUMI_K8S_UPSERT_EXISTING_OBJECTS": "true", "PULUMI_K8S_ENABLE_PATCH_FORCE": "true"}

    settings = Settings.read(given, environ)

    assert (settings.upsert, settings.force, settings.mutable.config_maps, settings.mutable.secrets) == (
        False,
        True,
        True,
        False,
    )


def test_settings_that_the_stand_in_cannot_honour_are_refused() -> None:
    assert list(config.refusals({"renderYamlToDirectory": "out", "kubeconfig": ONE})) == ["renderYamlToDirectory"]


def test_an_unnamed_object_gets_a_name_that_it_keeps() -> None:
    name = check.autoname("churn", b"seed", "")

    first = check.complete({"kind": "ConfigMap"}, {}, name, "models")
    later = check.complete({"kind": "ConfigMap"}, first, "another", "models")

    assert first == later
    assert first["metadata"] == {"name": name, "namespace": "models", "annotations": {check.AUTONAMED: "true"}}
    assert check.autoname("churn", b"other", "") != name
    assert check.autoname("churn", b"seed", "wanted") == "wanted"


def test_what_the_program_says_about_name_and_namespace_stays() -> None:
    inputs = {"metadata": {"name": "a", "namespace": "b"}}

    assert check.complete(inputs, {}, "auto", "models") == inputs
    assert check.complete({"metadata": UNKNOWN}, {}, "auto", "models") == {"metadata": UNKNOWN}
    assert check.complete({"metadata": {"name": UNKNOWN}}, {}, "auto", None) == {"metadata": {"name": UNKNOWN}}
    secret = check.complete({"metadata": Secret({"name": "a"})}, {}, "auto", "models")
    assert secret == {"metadata": Secret({"name": "a", "namespace": "models"})}


@pytest.mark.parametrize(
    ("kind", "inputs", "part"),
    [
        ("ConfigMapList", {"items": []}, "declare their items"),
        ("ConfigMapPatch", {"kind": "ConfigMap"}, "Patch resources are not supported"),
        ("ConfigMap", {"kind": "ConfigMap", "metadata": {"generateName": "a-"}}, "give metadata.name"),
    ],
)
def test_what_the_stand_in_cannot_do_is_refused_by_name(kind: str, inputs: dict[str, Any], part: str) -> None:
    refused = check.refusal(kind, inputs)

    assert refused is not None
    assert part in refused[1]


def test_a_type_token_names_an_api_version_with_a_kind() -> None:
    assert check.kind_of("kubernetes:core/v1:ConfigMap") == ("v1", "ConfigMap")
    assert check.kind_of("kubernetes:apps/v1:Deployment") == ("apps/v1", "Deployment")
    with pytest.raises(ValueError, match=r"yaml/v2|not a kind of Kubernetes objects"):
        check.kind_of("kubernetes:yaml:ConfigFile")


def test_the_field_manager_is_of_the_resource_and_survives_a_lost_state() -> None:
    urn = "urn:pulumi:local::slipway::kubernetes:core/v1:Service::churn"

    name = operations.manager_of({}, {}, urn)

    assert name == operations.manager_of({}, {}, urn) != operations.manager_of({}, {}, urn + "2")
    assert name.startswith("pulumi-kubernetes-")
    assert operations.manager_of({}, {"__fieldManager": "pulumi-kubernetes-old"}, urn) == "pulumi-kubernetes-old"
    annotated = {"metadata": {"annotations": {"pulumi.com/patchFieldManager": "me"}}}
    assert operations.manager_of(annotated, {"__fieldManager": "old"}, urn) == "me"
