"""The bench's harness, at three models: whether it compares what it says it compares."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import project, recording, servers
from tests.bench.measure import Bench
from tests.bench.toolbox import Toolbox


def test_all_programs_ask_the_engine_for_the_same_resources_and_each_run_is_counted(tmp_path: Path) -> None:
    said: list[str] = []
    with (
        servers.Cluster(project.NAMESPACE).running() as cluster,
        servers.object_store(tmp_path / "s3") as credentials,
    ):
        tools = Toolbox(tmp_path, credentials)
        size = Bench(tools, tmp_path / "s3", cluster, 3, said.append).new(1)
    assert set(size.situations["new"]) == {"E", "F", "S", "P", "D"}
    assert cluster.requests > 0, "the program did not read the cluster"
    # Provider, shared metrics with their component, then a component with five objects for each model.
    assert size.resources >= 1 + 1 + 3 * 6
    for program, series in size.situations["new"].items():
        (run,) = series.runs
        assert run.cpu["engine"] > 0 < run.rss["program"], program


def test_a_program_that_asks_for_something_else_is_told_apart(tmp_path: Path) -> None:
    def recorded(spec: str) -> recording.Recording:
        call = {
            "method": "/pulumirpc.ResourceMonitor/RegisterResource",
            "progress": "response_completed",
            "request": {"type": "kubernetes:core/v1:Service", "name": "churn", "object": {"spec": spec}},
            "response": {"urn": "urn:pulumi:bench::slipway::kubernetes:core/v1:Service::churn"},
        }
        log = tmp_path / "log"
        log.write_text(json.dumps(call) + "\n")
        return recording.read(log)

    assert recorded("a").fingerprint == recorded("a").fingerprint
    assert recorded("a").fingerprint != recorded("b").fingerprint
    assert "Service::churn" in recorded("a").difference(recorded("b"))


def test_a_run_that_was_not_logged_is_no_recording(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("")
    with pytest.raises(ValueError, match="no registration"):
        recording.read(tmp_path / "log")
