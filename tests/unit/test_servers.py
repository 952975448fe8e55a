"""The contract of a serving runtime stands in one place."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import CHECKOUT

from slipway import names, series
from slipway.models.servers import SERVERS, Server
from slipway.platform import runtimes

SOURCES = [file for root in ("slipway", "components", "stacks") for file in sorted((CHECKOUT / root).rglob("*.py"))]


def texts(file: Path) -> Iterator[str]:
    """The texts of a program, without its docstrings."""
    tree = ast.parse(file.read_text())
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value


@pytest.mark.parametrize(
    ("part", "owner"),
    [
        # Series and the label of users' requests; the judge, delivery, rules, dashboards and KEDA's query share them.
        ("rest_server_", "slipway/series.py"),
        ("/infer", "slipway/names.py"),
        ("/v2/health", "slipway/models/servers.py"),
        ("MLSERVER_MODEL", "slipway/models/servers.py"),
        ("kserve-mlserver", "slipway/models/servers.py"),
        # The pattern of an address that a server can load.
        ("[^/]+/.+", "slipway/models/servers.py"),
    ],
)
def test_what_a_server_is_asked_and_measured_by_is_written_once(part: str, owner: str) -> None:
    found = {str(file.relative_to(CHECKOUT)) for file in SOURCES for text in texts(file) if part in text}
    # An error that names a route, and the file of KServe's sources that the lab reads.
    assert found - {"slipway/rehearse/requests.py", "slipway/lab/manifests.py"} == {owner}


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.runtime)
def test_a_model_can_change_nothing_that_its_server_is_found_and_loaded_by(server: Server) -> None:
    assert {server.name_variable, server.version_variable} <= server.reserved
    # What the platform sets itself is either reserved, or no part of the contract.
    ports = {name for name, value in server.settings.items() if value == str(server.metrics_port)}
    assert ports
    assert ports <= server.reserved


@pytest.mark.parametrize("server", SERVERS, ids=lambda server: server.runtime)
def test_a_runtime_that_kserve_ships_without_variables_gets_those_of_the_server(server: Server) -> None:
    formats = [{"name": server.model_format, "version": "1"}]
    spec = {"annotations": {}, "supportedModelFormats": formats, "containers": [{"name": "kserve-container"}]}
    made = runtimes.adjusted(server, {"metadata": {"name": server.runtime}, "spec": spec}, "image")
    (container,) = made["spec"]["containers"]
    assert {each["name"]: each["value"] for each in container["env"]} == server.settings


def test_users_requests_are_told_from_probes_by_their_path() -> None:
    assert f'path=~"{names.infer_path(".+")}"' == series.ASKED
