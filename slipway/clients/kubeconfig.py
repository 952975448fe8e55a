"""Reader of kubeconfig files."""

from __future__ import annotations

import atexit
import base64
import json
import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import requests
import yaml

from slipway.errors import ExitCode, SlipwayError
from slipway.objects import Object


@dataclass(frozen=True, kw_only=True)
class Access:
    """Access to a cluster, from one context of a kubeconfig.

    Args:
        namespace: The context's namespace, `default` where it names none.
        verify: A CA file, or whether to verify with the system's CAs.
        certificate: Files of the client's certificate and key.
        token_file: File of the token, which in a pod changes every hour.
    """

    server: str
    namespace: str
    verify: str | bool
    certificate: tuple[str, str] | None
    token: str | None
    token_file: Path | None = None

    def session(self) -> requests.Session:
        """Return a session with the certificates or the token."""
        session = requests.Session()
        # REQUESTS_CA_BUNDLE would otherwise override the cluster's own CA.
        session.trust_env = False
        session.verify, session.cert = self.verify, self.certificate
        if self.token_file:
            session.auth = self._signed
        elif self.token:
            session.headers["Authorization"] = f"Bearer {self.token}"
        return session

    def _signed(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.token_file:
            request.headers["Authorization"] = f"Bearer {self.token_file.read_text().strip()}"
        return request


def read(path: Path | str) -> tuple[Object, Path]:
    """Return the parsed file, and the directory of its relative file names.

    Raises:
        SlipwayError: The file is missing or malformed.
    """
    file = Path(path).expanduser()
    try:
        config = yaml.safe_load(file.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise SlipwayError(f"{file}: not a readable kubeconfig ({str(error).splitlines()[0]})") from None
    if not isinstance(config, dict):
        raise SlipwayError(f"{file}: not a kubeconfig; expected a mapping with clusters, users and contexts")
    return config, file.parent


def access(config: Object, base: Path, context: str | None = None) -> Access:
    """Resolve a context (None: the current one).

    Raises:
        SlipwayError: An entry is missing, or a credential plugin fails.
    """
    wanted = context or config.get("current-context")
    if not wanted:
        raise SlipwayError("kubeconfig: no current-context; set it, or name the context to use")
    try:
        chosen = _named(config, "contexts", str(wanted))["context"]
        cluster = _named(config, "clusters", chosen["cluster"])["cluster"]
        user = _named(config, "users", chosen["user"])["user"] if chosen.get("user") else {}
        certificate, key = _file(user, "client-certificate", base), _file(user, "client-key", base)
        return Access(
            server=cluster["server"],
            namespace=chosen.get("namespace", "default"),
            verify=_file(cluster, "certificate-authority", base) or not cluster.get("insecure-skip-tls-verify", False),
            certificate=(certificate, key) if certificate and key else None,
            token=_token(user, base),
            token_file=base / user["tokenFile"] if user.get("tokenFile") else None,
        )
    except KeyError as error:
        raise SlipwayError(f"kubeconfig: no {error.args[0]}; expected the name of an entry there") from None


def _named(config: Object, section: str, name: str) -> Object:
    for entry in config.get(section) or []:
        if entry["name"] == name:
            return dict(entry)
    raise KeyError(f"{name!r} in {section}")


def _token(user: Object, base: Path) -> str | None:
    if user.get("tokenFile"):
        return (base / str(user["tokenFile"])).read_text().strip()
    if user.get("token"):
        return str(user["token"])
    return _exec_token(user["exec"]) if user.get("exec") else None


def _file(entry: Object, key: str, base: Path) -> str | None:
    """Return a file name for `key`; inline data go to a private file, since requests accepts only files."""
    if entry.get(key):
        return str(base / entry[key])
    if not entry.get(f"{key}-data"):
        return None
    handle, name = tempfile.mkstemp(prefix="slipway-")
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64decode(entry[f"{key}-data"]))
    atexit.register(Path(name).unlink, missing_ok=True)
    return name


def _exec_token(plugin: Object) -> str | None:
    """Run a credential plugin (client.authentication.k8s.io), as `aws eks get-token`; return its token."""
    command = [plugin["command"], *(plugin.get("args") or [])]
    extra = {item["name"]: item["value"] for item in plugin.get("env") or []}
    info = json.dumps({"apiVersion": plugin["apiVersion"], "kind": "ExecCredential", "spec": {"interactive": False}})
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": info},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        token = json.loads(done.stdout)["status"].get("token")
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise SlipwayError(
            f"kubeconfig: exec plugin {command[0]} gave no credentials ({type(error).__name__})", ExitCode.UNREACHABLE
        ) from None
    return str(token) if token else None
