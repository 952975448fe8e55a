"""When a shadow is asked copies no more."""

from __future__ import annotations

from typing import Any

import pytest
from test_judge_run import objects

from slipway.clients.kube import KubeError
from slipway.judge.shadows import COPIES, end_copies


class FakeKube:
    """A model with a router that copies its requests."""

    def __init__(self, router: str = "churn-v2-shadow", **state: Any) -> None:
        metadata = {"name": router, "namespace": "models", "labels": {"slipway.dev/model": "churn"}}
        self.routers, self.deleted = [{"metadata": metadata}], list[str]()
        self.objects = {(each["kind"], each["metadata"]["name"]): each for each in objects(**state)}

    def list(self, api_version: str, kind: str, label_selector: str) -> list[dict[str, Any]]:
        assert ((api_version, kind), label_selector) == (COPIES, "slipway.dev/model")
        return self.routers

    def get(self, api_version: str, kind: str, name: str, namespace: str) -> dict[str, Any]:
        return self.objects[kind, name]

    def find(self, api_version: str, kind: str, name: str, namespace: str) -> dict[str, Any] | None:
        return self.objects.get((kind, name))

    def delete(self, api_version: str, kind: str, name: str, namespace: str) -> None:
        assert ((api_version, kind), namespace) == (COPIES, "models")
        self.deleted.append(name)


FAILED = {"phase": "Failed"}


@pytest.mark.parametrize(
    ("state", "ended"),
    [
        pytest.param({"status": FAILED}, True, id="it has failed"),
        pytest.param({}, False, id="it is tried"),
        pytest.param({"status": {"phase": "WaitingPromotion"}}, False, id="it is held"),
        pytest.param({"status": FAILED, "canary": 1}, False, id="another try that Flagger has not seen yet"),
        pytest.param({"status": FAILED, "target": 3}, False, id="another candidate that Flagger has not seen yet"),
        pytest.param({"status": FAILED, "router": "churn-v1-shadow"}, False, id="a router of another candidate"),
        pytest.param({"status": FAILED, "target": 1, "canary": 1}, False, id="the target went back"),
    ],
)
def test_the_copies_end_with_the_rollout(state: dict[str, Any], ended: bool) -> None:
    kube = FakeKube(**state)
    assert end_copies(kube) == ended  # type: ignore[arg-type]
    assert kube.deleted == (["churn-v2-shadow"] if ended else [])


def test_a_cluster_without_traefiks_kinds_has_no_copies_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def trouble(status: int) -> None:
        def refuse(*_: Any, **__: Any) -> None:
            raise KubeError(status, "Reason", "no")

        monkeypatch.setattr(FakeKube, "list", refuse)

    trouble(404)
    assert end_copies(FakeKube()) == 0  # type: ignore[arg-type]
    trouble(503)
    with pytest.raises(KubeError):
        end_copies(FakeKube())  # type: ignore[arg-type]
