"""Who we are, as a kubeconfig says."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from slipway.clients import kubeconfig
from slipway.errors import ExitCode, SlipwayError


def config(user: dict[str, Any] | None = None, cluster: dict[str, Any] | None = None, **top: Any) -> dict[str, Any]:
    return {
        "current-context": "here",
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "models"}},
            {"name": "there", "context": {"cluster": "other", "user": "u"}},
        ],
        "clusters": [
            {"name": "c", "cluster": {"server": "https://one", **(cluster or {})}},
            {"name": "other", "cluster": {"server": "https://two"}},
        ],
        "users": [{"name": "u", "user": user or {}}],
        **top,
    }


def test_the_current_context_is_taken_unless_another_is_named():
    assert kubeconfig.access(config(), Path()).server == "https://one"
    assert kubeconfig.access(config(), Path()).namespace == "models"
    assert kubeconfig.access(config(), Path(), "there").server == "https://two"
    assert kubeconfig.access(config(), Path(), "there").namespace == "default"


@pytest.mark.parametrize(
    ("broken", "context", "said"),
    [
        (config(), "nowhere", "no 'nowhere' in contexts"),
        (config(clusters=[]), None, "no 'c' in clusters"),
        (config(users=None), None, "no 'u' in users"),
        ({"clusters": []}, None, "no current-context"),
    ],
)
def test_a_missing_entry_is_named(broken: dict[str, Any], context: str | None, said: str):
    with pytest.raises(SlipwayError, match=said):
        kubeconfig.access(broken, Path(), context)


def test_certificates_are_files_beside_the_kubeconfig_or_data_in_it(tmp_path: Path):
    inline = {"client-certificate-data": base64.b64encode(b"CERT").decode(), "client-key": "my.key"}
    found = kubeconfig.access(config(inline, {"certificate-authority": "ca.crt"}), tmp_path)
    assert found.verify == str(tmp_path / "ca.crt")
    assert found.certificate is not None
    certificate, key = found.certificate
    assert Path(certificate).read_bytes() == b"CERT"
    assert Path(certificate).stat().st_mode & 0o077 == 0
    assert key == str(tmp_path / "my.key")


def test_the_certificates_of_a_server_are_checked_unless_the_kubeconfig_says_otherwise():
    assert kubeconfig.access(config(), Path()).verify is True
    assert kubeconfig.access(config(cluster={"insecure-skip-tls-verify": True}), Path()).verify is False


def test_a_session_ignores_the_ca_bundle_and_the_proxies_of_the_environment():
    session = kubeconfig.access(config({"token": "abc"}), Path()).session()
    assert session.trust_env is False
    assert session.headers["Authorization"] == "Bearer abc"


def test_a_token_may_stand_in_a_file(tmp_path: Path):
    (tmp_path / "token").write_text("from-file\n")
    assert kubeconfig.access(config({"tokenFile": "token"}), tmp_path).token == "from-file"


def test_a_token_in_a_file_is_read_for_each_request_since_a_pods_changes_every_hour(tmp_path: Path):
    (tmp_path / "token").write_text("first\n")
    session = kubeconfig.access(config({"tokenFile": "token"}), tmp_path).session()
    (tmp_path / "token").write_text("second\n")
    prepared = session.prepare_request(requests.Request("GET", "https://cluster"))
    assert prepared.headers["Authorization"] == "Bearer second"


def test_a_credential_plugin_is_run_with_its_environment():
    code = "import json, os; print(json.dumps({'status': {'token': os.environ['SAY']}}))"
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": sys.executable,
        "args": ["-c", code],
        "env": [{"name": "SAY", "value": "told"}],
    }
    assert kubeconfig.access(config({"exec": plugin}), Path()).token == "told"


def test_a_credential_plugin_that_fails_is_named():
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/nonexistent/aws"}
    with pytest.raises(SlipwayError, match="exec plugin /nonexistent/aws gave no credentials") as told:
        kubeconfig.access(config({"exec": plugin}), Path())
    assert told.value.exit_code is ExitCode.UNREACHABLE


@pytest.mark.parametrize("text", ["[1, 2", "just words", None])
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str | None):
    file = tmp_path / "config"
    if text is not None:
        file.write_text(text)
    with pytest.raises(SlipwayError, match=str(file)) as told:
        kubeconfig.read(file)
    assert "\n" not in str(told.value)


def test_a_file_is_read_with_the_directory_that_its_names_start_from(tmp_path: Path):
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config()))
    assert kubeconfig.read(file) == (json.loads(json.dumps(config())), tmp_path)
