import pytest
from pydantic import ValidationError

from slipway.compile import objects
from slipway.compile.objects import Amounts, Metadata, Selector, Service, ServicePort, ServiceSpec


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
    "wire", sorted(n for n, t in vars(objects).items() if isinstance(t, type) and issubclass(t, objects.Wire))
)
def test_no_wire_object_takes_an_unknown_field(wire: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        getattr(objects, wire).model_validate({"misspelt": 1})


@pytest.mark.parametrize("cpu", ["1", "2", "500m", "1500m"])
def test_a_canonical_quantity_is_taken(cpu: str) -> None:
    assert Amounts(cpu=cpu, memory="1Gi").cpu == cpu


@pytest.mark.parametrize(
    "amount", ["1.5", "0", "1000m", "2000m", "1024Mi", "2048Ki", "1G", "", "-1", "01", "1e3", "1 Gi"]
)
def test_a_quantity_that_the_api_server_would_rewrite_is_refused(amount: str) -> None:
    with pytest.raises(ValidationError, match="canonical quantity"):
        Amounts(cpu="1", memory=amount)
