"""The real engine declares an LLM; somebody else moves its traffic."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from llm_stage import define
from local_stack import MODEL, Stack

from slipway.clients.kube import Kube, KubeError
from slipway.delivery.acts import Recorded
from slipway.delivery.books import Books
from slipway.delivery.llm import step
from slipway.models.spec import load_model_spec
from slipway.rollout.llm import LLM
from slipway.settings.stack_file import read_environment

STABLE, CANDIDATE = f"{MODEL}-v2", f"{MODEL}-v3"


@pytest.fixture
def stack(lab: Any, tmp_path: Path) -> Iterator[Stack]:
    define(lab)
    made = Stack(lab, tmp_path)
    file = tmp_path / "models" / f"{MODEL}.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"llm": {}}))
    yield made
    made.pulumi("destroy", "--yes", "--skip-preview")


def with_a_controller(kube: Kube, run: Callable[[], object]) -> None:
    """Say of every LLMInferenceService that appears in the meantime that it is ready, as KServe's controller would."""
    over = threading.Event()

    def controller() -> None:
        while not over.wait(0.5):
            # A kind that has just been defined is refused for some seconds more ("storage is (re)initializing").
            with contextlib.suppress(KubeError):
                for each in kube.list(*LLM, "models"):
                    if "status" not in each:
                        ready = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
                        kube.patch(*LLM, each["metadata"]["name"], "models", ready, subresource="status")

    thread = threading.Thread(target=controller)
    thread.start()
    try:
        run()
    finally:
        over.set()
        thread.join()


def test_an_up_in_mid_rollout_leaves_the_weights_alone(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    kube = Kube.from_kubeconfig(stack.lab.kubeconfig)

    def weights() -> dict[str, int]:
        return {
            each["metadata"]["name"]: each["spec"]["router"]["route"]["weight"] for each in kube.list(*LLM, "models")
        }

    with_a_controller(kube, stack.up)
    assert weights() == {STABLE: 100}
    stack.promote(3)
    with_a_controller(kube, stack.up)
    assert weights() == {STABLE: 100, CANDIDATE: 0}

    spec = load_model_spec(stack.root / "models" / f"{MODEL}.yaml")
    books = Books(stack.root, read_environment(stack.root, "local"), spec)
    # What the alias names; the registry is another process's.
    monkeypatch.setattr(Books, "recorded", lambda _: Recorded(wanted=3))
    step(kube, books, to=10)
    stack.up("--expect-no-changes")
    assert weights() == {STABLE: 90, CANDIDATE: 10}
    step(kube, books, to=100)
    stack.up()
    assert weights() == {CANDIDATE: 100}
