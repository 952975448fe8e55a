"""An upgrade of stack `local`, whose state and objects an earlier version of Slipway made."""

from __future__ import annotations

import json
import tarfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
import requests
from live_rollouts import MODELS
from local_stack import CANARY, ISVC, MODEL, READY, SERVICE, UP, Stack
from record_local import HOME, LAB, STORE, access
from upgrade.comparing import ROUTED, Difference, complaints, reviewed
from upgrade.recording import LAB_CASE, short

from slipway import documents
from slipway.lab.bucket import make_bucket
from slipway.lab.seed.users import user_requests
from slipway.models.pins import Pin, Pins

POD = ("v1", "Pod")


class Recorded(Stack):
    """Stack `local` as the recorded version left it: its state, its objects under their field managers, its bytes.

    One thing differs. The release is pinned, since the registry that was followed is gone; nothing but the source of
    the release depends on that.
    """

    def seed(self) -> None:
        (release,) = (HOME / "releases" / MODEL).iterdir()
        (self.root / "releases" / MODEL).mkdir(parents=True)
        for file in (f"models/{MODEL}.yaml", f"releases/{MODEL}/{release.name}"):
            (self.root / file).write_text((HOME / file).read_text())
        pins = Pins(environment="local", models={MODEL: Pin(stable=release.stem)})
        documents.write(self.root / "pins/local.yaml", pins)
        self.settings.write_text((HOME / self.settings.name).read_text().replace(LAB, str(self.lab.project)))
        self.set(releases="pinned")

    def restore(self) -> None:
        """Return once the recorded model serves and Flagger has taken it over."""
        store = boto3.client("s3", **access(self.lab))
        with tarfile.open(HOME / STORE) as archive:
            for entry in archive:
                bucket, _, key = entry.name.partition("/")
                make_bucket(bucket, **access(self.lab))
                content = archive.extractfile(entry)
                assert content
                store.put_object(Bucket=bucket, Key=key, Body=content.read())
        text = (HOME / "state.json").read_text().replace(LAB, str(self.lab.project))
        (self.root / "state.json").write_text(text)
        self.pulumi("stack", "import", "--file", "state.json")
        for resource in json.loads(text)["deployment"]["resources"]:
            if resource["type"].startswith("kubernetes:"):
                self.kube.apply(resource["inputs"], field_manager=resource["outputs"]["__fieldManager"])
        (service,) = self.kube.list(*ISVC, "models")
        self.kube.wait_for(*ISVC, service["metadata"]["name"], "models", _ready, timeout=READY)
        self.phase("Initialized")
        # The gateway learns of the route a moment after Flagger has written it, without an event to wait for.
        deadline = time.monotonic() + READY
        while (status := self.ask()) != 200:
            assert time.monotonic() < deadline, status
            time.sleep(0.1)

    def ask(self) -> int:
        """Ask for one prediction; return the status of the answer, whenever it comes."""
        url, host = f"{self.lab.gateway_url}/v2/models/{MODEL}/infer", {"Host": f"{MODEL}.models.localhost"}
        return requests.post(url, data=user_requests(MODELS[MODEL])[0].body, headers=host, timeout=UP).status_code

    def ask_until(self, over: threading.Event) -> Counter[int]:
        """Count the statuses of answers to requests one after the other: a busy machine makes them fewer, not wrong."""
        answers = Counter([self.ask()])
        while not over.wait(0.2):
            answers[self.ask()] += 1
        return answers

    def planned(self) -> list[Difference]:
        """Say what an `up` would do to what is there."""
        found = []
        for step in json.loads(self.pulumi("preview", "--json").stdout)["steps"]:
            urn, operation, fields = short(step["urn"]), step["op"], step.get("detailedDiff") or {"": None}
            if operation != "same":
                harm = "" if operation in ("create", "update") else operation
                found += [Difference(urn, f"({operation})/{field.replace('.', '/')}", harm=harm) for field in fields]
        return found

    def serving(self) -> dict[str, Any]:
        """Return what a replacement, a restart or a rollout changes."""
        return {
            f"{kind} {each['metadata']['name']}": (each["metadata"]["uid"], _moved(kind, each))
            for version, kind in (ISVC, SERVICE, CANARY, POD)
            for each in self.kube.list(version, kind, "models")
        }


def _ready(service: dict[str, Any]) -> bool:
    conditions = service.get("status", {}).get("conditions", ())
    return any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)


def _moved(kind: str, found: dict[str, Any]) -> Any:
    """Return the part of an object whose change restarts a server or begins a rollout."""
    if kind == "Pod":
        return [each["restartCount"] for each in found["status"]["containerStatuses"]]
    if kind == "Canary":
        return found["status"]["phase"], [found["spec"].get(path.partition("/")[2]) for path in ROUTED[kind]]
    return found["spec"]


@pytest.fixture(scope="module")
def stack(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    made = Recorded(lab, tmp_path_factory.mktemp("recorded"))
    made.restore()
    yield made
    made.pulumi("destroy", "--yes", "--skip-preview")


def test_an_upgrade_of_a_running_stack_changes_nothing_but_what_was_reviewed(stack: Recorded) -> None:
    before, outputs = stack.serving(), stack.pulumi("stack", "output", "--json").stdout
    assert {"InferenceService", "Service", "Canary", "Pod"} == {name.partition(" ")[0] for name in before}
    over = threading.Event()
    with ThreadPoolExecutor() as pool:
        asking = pool.submit(stack.ask_until, over)
        try:
            planned = stack.planned()
            said = complaints(LAB_CASE, planned, reviewed())
            assert not said, "\n" + "\n".join(said)
            stack.up(*([] if planned else ["--expect-no-changes"]))
        finally:
            over.set()
    assert set(asking.result()) == {200}, asking.result()
    after = {name: each for name, each in stack.serving().items() if name in before}
    assert (after, stack.pulumi("stack", "output", "--json").stdout) == (before, outputs)
