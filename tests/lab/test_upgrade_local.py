"""An upgrade of stack `local`, whose state and objects an earlier version of Slipway made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from local_stack import CANARY, ISVC, MODEL, SERVICE, Stack
from record_local import HOME, LAB
from upgrade.comparing import Difference, complaints, reviewed
from upgrade.recording import LAB_CASE, short

from slipway import documents
from slipway.models.pins import Pin, Pins

KINDS = (ISVC, SERVICE, CANARY)


class Recorded(Stack):
    """Stack `local` as the recorded version left it: its state, and its objects under the same field managers.

    Two things differ. The release is pinned, since the registry that was followed is gone; nothing but the source of
    the release depends on that. And the artifact store has no bytes, so the model server never becomes Ready: what
    does not change is not waited for.
    """

    def seed(self) -> None:
        (release,) = (HOME / "releases" / MODEL).iterdir()
        for folder in ("models", "releases"):
            (self.root / folder).mkdir(exist_ok=True)
        (self.root / "models" / f"{MODEL}.yaml").write_text((HOME / "models" / f"{MODEL}.yaml").read_text())
        (self.root / "releases" / MODEL).mkdir()
        (self.root / "releases" / MODEL / release.name).write_text(release.read_text())
        documents.write(
            self.root / "pins/local.yaml", Pins(environment="local", models={MODEL: Pin(stable=release.stem)})
        )
        self.settings.write_text((HOME / self.settings.name).read_text().replace(LAB, str(self.lab.project)))
        self.set(releases="pinned")

    def restore(self) -> None:
        text = (HOME / "state.json").read_text().replace(LAB, str(self.lab.project))
        (self.root / "state.json").write_text(text)
        self.pulumi("stack", "import", "--file", "state.json")
        for resource in json.loads(text)["deployment"]["resources"]:
            if resource["type"].startswith("kubernetes:"):
                self.kube.apply(resource["inputs"], field_manager=resource["outputs"]["__fieldManager"])

    def planned(self) -> list[Difference]:
        """Say what an `up` would do to what is there."""
        found = []
        for step in json.loads(self.pulumi("preview", "--json").stdout)["steps"]:
            urn, operation, fields = short(step["urn"]), step["op"], step.get("detailedDiff") or {"": None}
            if operation != "same":
                harm = "" if operation in ("create", "update") else operation
                found += [Difference(urn, f"({operation})/{field.replace('.', '/')}", harm=harm) for field in fields]
        return found

    def identities(self) -> dict[str, Any]:
        """Return what a replacement changes, or a change of a spec; a Service has no generation."""
        return {
            f"{kind} {each['metadata']['name']}": (each["metadata"]["uid"], each["metadata"].get("generation"))
            for version, kind in KINDS
            for each in self.kube.list(version, kind, "models")
        }


@pytest.fixture(scope="module")
def stack(lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    made = Recorded(lab, tmp_path_factory.mktemp("recorded"))
    made.restore()
    yield made
    made.pulumi("destroy", "--yes", "--skip-preview")


def test_an_upgrade_of_a_running_stack_changes_nothing_but_what_was_reviewed(stack: Recorded) -> None:
    said = complaints(LAB_CASE, stack.planned(), reviewed())
    assert not said, "\n" + "\n".join(said)
    before, outputs = stack.identities(), stack.pulumi("stack", "output", "--json").stdout
    assert {f"InferenceService {MODEL}-v2", f"Service {MODEL}-primary", f"Canary {MODEL}"} <= set(before)
    stack.up("--expect-no-changes")
    after = {name: each for name, each in stack.identities().items() if name in before}
    assert (after, stack.pulumi("stack", "output", "--json").stdout) == (before, outputs)
