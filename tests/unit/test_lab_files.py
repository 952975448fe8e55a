"""Files that a lab writes, before anything runs."""

from __future__ import annotations

import json
import os
import shlex
import socket
import stat
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from slipway.engine import killed_runs
from slipway.errors import ExitCode, SlipwayError
from slipway.lab import control_plane, lifecycle, monitoring, namespace, network, pki, shell, state
from slipway.lab.paths import Paths, project_directory, write_private
from slipway.lab.plugin import choice
from slipway.tools import toolchain

FACTS = state.Facts("slipway-lab-1", {"api": 1001, "gateway": 1002, "s3": 1003}, "access", "sec'ret $HOME")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = Paths(tmp_path)
    found.lab.mkdir(parents=True)
    return found


def certificate(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def test_the_server_certificate_names_every_address_it_is_reached_at(tmp_path: Path) -> None:
    pki.ensure(tmp_path)
    names = certificate(tmp_path / "server.crt").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", network.ADDRESS, network.API_SERVICE}
    assert {"localhost", "kubernetes.default.svc"} <= set(names.get_values_for_type(x509.DNSName))


def test_every_certificate_is_signed_by_the_authority_for_one_purpose(tmp_path: Path) -> None:
    pki.ensure(tmp_path)
    authority = certificate(tmp_path / "ca.crt")
    for name, purpose in {"server": "serverAuth", "webhook": "serverAuth", "admin": "clientAuth"}.items():
        issued = certificate(tmp_path / f"{name}.crt")
        issued.verify_directly_issued_by(authority)
        (found,) = issued.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert found._name == purpose


def test_a_new_start_keeps_the_authority_with_the_service_account_key_but_issues_certificates_anew(
    tmp_path: Path,
) -> None:
    pki.ensure(tmp_path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    pki.ensure(tmp_path)
    same = {file.name for file in tmp_path.iterdir() if file.read_bytes() == before[file.name]}
    assert same == {"ca.key", "ca.crt", "service-accounts.key"}


def test_the_service_account_key_has_the_format_that_the_api_server_reads(tmp_path: Path) -> None:
    pki.ensure(tmp_path)
    assert (tmp_path / "service-accounts.key").read_bytes().startswith(b"-----BEGIN EC PRIVATE KEY-----")


def test_a_kubeconfig_holds_all_it_needs(tmp_path: Path) -> None:
    pki.ensure(tmp_path)
    config = yaml.safe_load(pki.kubeconfig(tmp_path, "admin", "https://127.0.0.1:1001", "models"))
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1001"
    assert config["contexts"][0]["context"]["namespace"] == "models"
    assert config["users"][0]["user"].keys() == {"client-certificate-data", "client-key-data"}
    assert isinstance(certificate(tmp_path / "admin.crt").public_key(), ec.EllipticCurvePublicKey)


def test_a_private_file_is_private_even_where_an_open_one_was(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    write_private(file, "new")
    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_facts_are_read_as_they_were_written(paths: Paths) -> None:
    assert state.load(paths) is None
    state.save(paths, FACTS)
    assert state.load(paths) == FACTS
    assert FACTS.url("api") == "https://127.0.0.1:1001"
    assert FACTS.url("s3") == "http://127.0.0.1:1003"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"identifier": "x"}'])
def test_a_spoilt_lab_json_is_one_clear_line(paths: Paths, content: str) -> None:
    paths.facts.write_text(content)
    with pytest.raises(SlipwayError, match=r"lab\.json: expected the JSON of a lab .*slipway lab reset"):
        state.load(paths)


def test_the_lock_is_held_as_long_as_its_descriptor_is_open(paths: Paths) -> None:
    assert not state.running(paths)
    held = state.lock(paths)
    assert state.running(paths)
    with pytest.raises(SlipwayError, match="already running") as refused:
        state.lock(paths)
    assert refused.value.exit_code == ExitCode.BUSY
    copy = os.dup(held)
    os.close(held)
    assert state.running(paths)
    os.close(copy)
    assert not state.running(paths)


def test_a_port_is_taken_again_where_it_is_free() -> None:
    first = state.listen({})
    ports = {name: listener.getsockname()[1] for name, listener in first.items()}
    for listener in first.values():
        listener.close()
    with socket.create_server(("127.0.0.1", ports["s3"])):
        second = state.listen(ports)
        again = {name: listener.getsockname() for name, listener in second.items()}
        for listener in second.values():
            listener.close()
    assert again["api"] == ("127.0.0.1", ports["api"])
    assert again["s3"][1] not in (ports["s3"], 0)


def test_a_lab_from_before_a_port_was_relayed_gets_a_free_one_for_it() -> None:
    listeners = state.listen({"api": 0, "gateway": 0, "s3": 0})
    ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
    for listener in listeners.values():
        listener.close()
    assert set(ports) == set(network.RELAYED)
    assert all(ports.values())


def test_a_shell_knows_where_to_ask_only_what_the_running_lab_relays(paths: Paths) -> None:
    assert not any(name.endswith("_URL") and name.startswith("SLIPWAY_") for name in shell.exports(paths, FACTS))
    facts = replace(FACTS, ports={**FACTS.ports, "prometheus": 1004})
    assert shell.exports(paths, facts)["SLIPWAY_PROMETHEUS_URL"] == "http://127.0.0.1:1004"


def test_a_process_is_known_by_its_start_time() -> None:
    assert state.start_time(os.getpid()) == state.start_time(os.getpid()) is not None
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert state.start_time(child.pid) is None  # a zombie counts as gone
    child.wait()


def test_the_environment_survives_a_shell(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "path_entries", lambda _: [Path("/a b/bin"), Path("/c/bin")])
    shell.write(paths, FACTS)
    command = f"source {shlex.quote(str(paths.env))}; exec env -0"
    done = subprocess.run(["bash", "-c", command], env={"PATH": "/bin:/usr/bin"}, capture_output=True, check=True)
    found = dict(entry.split("=", 1) for entry in done.stdout.decode().rstrip("\0").split("\0"))
    wanted = shell.variables(paths, FACTS, {"PATH": "/bin:/usr/bin"})
    assert wanted.items() <= found.items()
    assert found["PATH"] == "/a b/bin:/c/bin:/bin:/usr/bin"
    assert found["AWS_SECRET_ACCESS_KEY"] == "sec'ret $HOME"


def test_the_exports_are_for_their_owner_only(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "path_entries", lambda _: [])
    shell.write(paths, FACTS)
    assert stat.S_IMODE(paths.env.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["official", "stand-in"])
def test_the_plugin_is_on_path_wherever_it_was_found(
    paths: Paths, monkeypatch: pytest.MonkeyPatch, kind: Literal["official", "stand-in"]
) -> None:
    chosen = choice.Choice(kind, "found", Path("/elsewhere/pulumi-resource-kubernetes"))
    monkeypatch.setattr(choice, "choose", lambda state, environ: chosen if environ["PULUMI_HOME"] else None)
    monkeypatch.setattr(toolchain, "path_entries", lambda: [Path("/tools")])
    launcher, *rest = shell.path_entries(paths)
    assert killed_runs.is_launcher(launcher / "pulumi")
    assert rest[1:] == [Path("/tools"), Path("/elsewhere")]


def test_the_project_is_where_pulumi_yaml_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLIPWAY_PROJECT", raising=False)
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert project_directory() == below
    (tmp_path / "Pulumi.yaml").touch()
    assert project_directory() == tmp_path
    monkeypatch.setenv("SLIPWAY_PROJECT", str(below))
    assert project_directory() == below


@pytest.mark.parametrize("switch", namespace.SWITCHES)
def test_the_switch_that_forbids_namespaces_is_named_with_its_cure(tmp_path: Path, switch: str) -> None:
    for file, (off, _) in namespace.SWITCHES.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(off if file == switch else "7")
    error = namespace.refused(PermissionError(1, "no"), tmp_path)
    assert switch.replace("/", ".") in str(error)
    assert f"sudo sysctl {switch.replace('/', '.')}=" in str(error)
    assert error.exit_code == ExitCode.MACHINE
    assert "\n" not in str(error)


def test_a_container_that_forbids_namespaces_is_told_what_to_allow(tmp_path: Path) -> None:
    error = namespace.refused(PermissionError(1, "no"), tmp_path)
    assert "--security-opt" in str(error)
    assert error.exit_code == ExitCode.MACHINE


COMPONENTS = (
    control_plane.etcd,
    control_plane.api_server,
    control_plane.controller_manager,
    control_plane.kserve,
    control_plane.flagger,
    control_plane.traefik,
    control_plane.object_store,
    control_plane.kubelet,
    monitoring.prometheus,
    monitoring.judge,
    monitoring.observe,
)


def layout(paths: Paths) -> control_plane.Layout:
    return control_plane.Layout(paths, {name: f"/bin/{name}" for name in lifecycle.BINARIES}, "access", "secret-key")


def test_no_command_line_holds_the_secret_key(paths: Paths) -> None:
    made = [make(layout(paths)) for make in COMPONENTS]
    assert len({component.name for component in made}) == len(COMPONENTS)
    assert not any("secret-key" in word for component in made for word in component.command)


def test_nothing_of_the_users_shell_reaches_a_component(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    made: list[dict[str, Any]] = [dict(make(layout(paths)).environment) for make in COMPONENTS]
    assert not any("HTTPS_PROXY" in environment for environment in made)
    assert json.dumps(made).count("secret-key") == 1
