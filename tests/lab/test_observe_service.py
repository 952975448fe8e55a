"""The observing service as it is run: over real HTTP, read by Prometheus; by itself, then the lab's own."""

from __future__ import annotations

import contextlib
import os
import random
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn
from prometheus_client.parser import text_string_to_metric_families

from slipway.clients.prometheus import Prometheus, Sample
from slipway.errors import ExitCode, SlipwayError
from slipway.observe import service
from slipway.observe.client import Client
from slipway.observe.messages import MAX_BYTES
from slipway.observe.observer import Observer
from slipway.observe.specs import read_specs

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "models"


@contextlib.contextmanager
def running(models: Path = MODELS) -> Iterator[str]:
    """Run the service as its users do, until the block ends; yields its address."""
    command = [sys.executable, "-m", "slipway.observe", "--listen", "127.0.0.1:0", "--models", str(models)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stderr is not None
            said = process.stderr.readline()
            found = re.search(r"listening at (127\.0\.0\.1:\d+)", said)
            assert found, said + process.stderr.read()
            yield f"http://{found[1]}"
        finally:
            process.terminate()
            assert process.wait(timeout=10) in (0, -15, 143)


def series(url: str) -> dict[str, dict[str, float]]:
    """Read /metrics as Prometheus does: value by version (with what else tells series apart), by name."""
    answer = requests.get(f"{url}/metrics", timeout=5)
    assert answer.status_code == 200
    found: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(answer.text):
        for sample in family.samples:
            labels = [
                sample.labels[name] for name in ("model", "version", "feature", "against") if name in sample.labels
            ]
            found.setdefault(sample.name, {})["/".join(labels)] = sample.value
    return found


def answers(version: str, count: int, name: str, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "namespace": "models",
            "model": "wine-cultivar",
            "version": version,
            "id": f"{name}-{number}",
            "prediction": 1,
            **more,
        }
        for number in range(count)
    ]


def test_late_labels_become_counters_and_a_restart_begins_at_zero() -> None:
    with running() as url:
        client = Client(url)
        client.predicted(answers("3", 1_500, "a"))
        assert series(url)["slipway_labelled_total"] == {"wine-cultivar/3": 0}
        client.labelled([{"id": f"a-{number}", "label": int(number < 30)} for number in range(40)])
        found = series(url)
        assert found["slipway_predictions_total"] == {"wine-cultivar/3": 1_500}
        assert found["slipway_labelled_total"] == {"wine-cultivar/3": 40}
        assert found["slipway_right_total"] == {"wine-cultivar/3": 30}
        assert found["slipway_quality_ratio"] == {"wine-cultivar/3": 0.75}
    with running() as url:
        assert "slipway_labelled_total" not in series(url)


def test_no_label_stream_means_no_growth() -> None:
    with running() as url:
        client = Client(url)
        client.predicted(answers("3", 100, "a"))
        client.labelled([{"id": f"a-{number}", "label": 1} for number in range(50)])
        before = series(url)
        client.predicted(answers("3", 100, "b"))
        after = series(url)
        assert after["slipway_predictions_total"]["wine-cultivar/3"] == 200
        for name in ("slipway_labelled_total", "slipway_right_total"):
            assert after[name] == before[name] == {"wine-cultivar/3": 50}


def test_what_is_refused_is_refused_in_one_line_and_leaves_nothing() -> None:
    with running() as url:
        with pytest.raises(SlipwayError, match=r"predictions\[1\]\.model: unknown model 'wine'"):
            Client(url).predicted([*answers("3", 1, "a"), *answers("3", 1, "b", model="wine")])
        assert "slipway_predictions_total" not in series(url)
        answer = requests.post(f"{url}/v1/labels", data=b"[{}]", timeout=5)
        assert (answer.status_code, answer.text) == (400, "labels[0].id: missing; expected a text (+1 more)\n")
        assert requests.post(f"{url}/v1/labels", data=b" " * (MAX_BYTES + 1), timeout=5).status_code == 413
        assert requests.get(f"{url}/healthz", timeout=5).json()["unreadable"] == {}


def test_a_service_that_is_away_is_said_to_be() -> None:
    with pytest.raises(SlipwayError, match="cannot be reached") as refused:
        Client("http://127.0.0.1:9").predicted(answers("3", 1, "a"))
    assert refused.value.exit_code is ExitCode.UNREACHABLE


def test_an_address_that_is_taken_is_one_line() -> None:
    with running() as url:
        command = [sys.executable, "-m", "slipway.observe", "--listen", url.removeprefix("http://"), "--models", MODELS]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == ExitCode.MACHINE
    assert re.fullmatch(
        r"slipway: observe: cannot listen at 127\.0\.0\.1:\d+ \(.*\); give another --listen\n", done.stderr
    )


def test_drift_between_two_versions_of_the_same_time_is_measured_beside_the_requests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(service, "PAUSE_FACTOR", 1)
    # A clock that runs 100 times as fast: a slot of inputs is over in 50 ms.
    app = service.application(Observer(read_specs(MODELS)), clock=lambda: 100 * time.monotonic())
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        client, draw, number = Client(url), random.Random(7), 0
        while "slipway_features_drifted_ratio" not in (found := series(url)):
            assert time.monotonic() < deadline
            for version, shift in (("2", 0.0), ("3", 3.0)):
                for each in (batch := answers(version, 10, f"{version}-{number}")):
                    each["inputs"] = {"hue": draw.gauss(0, 1), "ash": draw.gauss(shift, 1)}
                client.predicted(batch)
            number += 1
            time.sleep(0.02)
        assert found["slipway_features_drifted_ratio"]["wine-cultivar/3/2"] == 0.5
        assert found["slipway_feature_drift"]["wine-cultivar/3/ash/2"] > 0.8
        assert found["slipway_feature_drift"]["wine-cultivar/3/hue/2"] < 0.3
    finally:
        server.should_exit = True
        thread.join()


def await_samples(server: Prometheus, query: str) -> Sample:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := server.query(query):
            assert len(found) == 1
            return found[0]
        time.sleep(0.1)
    raise AssertionError(f"{query}: no data")


def test_the_labs_own_service_knows_a_new_spec_and_prometheus_has_its_labels_about_the_model(lab: Any) -> None:
    late = lab.project / "models" / "late-comer.yaml"
    late.write_text((MODELS / "wine-cultivar.yaml").read_text().replace("name: wine-cultivar", "name: late-comer"))
    client, name = Client(lab.facts.url("observe")), uuid.uuid4().hex
    deadline = time.monotonic() + 30
    while "late-comer" not in requests.get(f"{client.url}/healthz", timeout=5).json()["models"]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    late.unlink()
    client.predicted(answers("987", 50, name))
    client.labelled([{"id": f"{name}-{number}", "label": int(number < 40)} for number in range(50)])
    server = Prometheus(lab.facts.url("prometheus"))
    right = await_samples(server, 'slipway_right_total{version="987"} == 40')
    assert right.labels.items() >= {"namespace": "models", "model": "wine-cultivar", "job": "observe"}.items()
    assert await_samples(server, 'slipway_quality_ratio{version="987"}').value == 0.8


def test_two_events_of_kserves_agent_become_one_prediction() -> None:
    output = {"name": "output-1", "datatype": "INT64", "shape": [1], "data": [1]}
    bodies = {
        "request": {"inputs": [{"name": "hue", "datatype": "FP64", "shape": [1, 1], "data": [1.05]}]},
        "response": {"model_name": "wine-cultivar", "model_version": "3", "id": "a", "outputs": [output]},
    }
    with running() as url:
        for kind, body in bodies.items():
            headers = {"ce-type": f"org.kubeflow.serving.inference.{kind}", "ce-id": "1", "ce-namespace": "models"}
            answer = requests.post(f"{url}/v1/payloads", json=body, headers=headers, timeout=5)
            assert answer.status_code == 200, answer.text
        assert series(url)["slipway_predictions_total"] == {"wine-cultivar/3": 1}
        # Far too few rows to compare anything with.
        assert requests.get(f"{url}/v1/samples", timeout=5).json() == []
