import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from slipway.compile import flagger, objects
from slipway.compile.objects import Amounts, Metadata, Selector, Service, ServicePort, ServiceSpec

ROOT = Path(__file__).parents[2]


def a_service() -> Service:
    return Service(
        metadata=Metadata(name="churn", namespace="models"),
        spec=ServiceSpec(
            selector=Selector(app="isvc.churn-v7-predictor"),
            ports=(ServicePort(name="http", port=80, target_port=8080),),
        ),
    )


def test_a_manifest_has_the_wires_spelling_with_nothing_unset_in_it() -> None:
    assert a_service().manifest() == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "churn", "namespace": "models"},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": "None",
            "selector": {"app": "isvc.churn-v7-predictor"},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "targetPort": 8080}],
        },
    }


def test_a_manifest_starts_with_what_says_what_it_is() -> None:
    assert list(a_service().manifest()) == ["apiVersion", "kind", "metadata", "spec"]


def test_a_wire_object_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        a_service().metadata.name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "wire",
    sorted(
        n for n, t in {**vars(objects), **vars(flagger)}.items() if isinstance(t, type) and issubclass(t, objects.Wire)
    ),
)
def test_no_wire_object_takes_an_unknown_field(wire: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        {**vars(objects), **vars(flagger)}[wire].model_validate({"misspelt": 1})


@pytest.mark.parametrize("cpu", ["1", "2", "500m", "1500m"])
def test_a_canonical_quantity_is_taken(cpu: str) -> None:
    assert Amounts(cpu=cpu, memory="1Gi").cpu == cpu


@pytest.mark.parametrize(
    "amount", ["1.5", "0", "1000m", "2000m", "1024Mi", "2048Ki", "1G", "", "-1", "01", "1e3", "1 Gi"]
)
def test_a_quantity_that_the_api_server_would_rewrite_is_refused(amount: str) -> None:
    with pytest.raises(ValidationError, match=r"expected (a quantity, as|the canonical form)"):
        Amounts(cpu="1", memory=amount)


WRONG = """
from slipway.compile import metrics
from slipway.compile.objects import Metadata, ServicePort
from slipway.models.spec import AtLeast, AtMost

metrics.SUCCESS_RATE.check(AtLeast(at_least=99), "10s")
ServicePort(name="http", port=80, target_prot=8080)
Metadata(name="churn")
metrics.SUCCESS_RATE.check(AtMost(at_most=99), "10s")
metrics.LATENCY_P95.check(AtLeast(at_least=99), "10s")
"""


def test_a_wrong_field_is_an_error_before_anything_runs(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG)
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", str(tmp_path / "wrong.py")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout
    found = {
        line.partition("wrong.py:")[2].partition(":")[0]: line for line in told.splitlines() if ": error: " in line
    }
    assert list(found) == ["7", "8", "9", "10"], told
    assert 'did you mean "target_port"' in found["7"]
    assert 'Missing named argument "namespace"' in found["8"]
    assert 'expected "AtLeast"' in found["9"]
    assert 'expected "AtMost"' in found["10"]
