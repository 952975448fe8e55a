"""What the lab's Prometheus asks, decided from what Kubernetes knows of each target."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from slipway import names
from slipway.lab import scraping

FOUND = {
    "__meta_kubernetes_namespace": "models",
    "__meta_kubernetes_service_name": "churn-canary",
    "__meta_kubernetes_endpointslice_port_name": "metrics",
    "__meta_kubernetes_pod_name": "churn-v3-predictor-1",
    "__meta_kubernetes_pod_label_serving_kserve_io_inferenceservice": "churn-v3",
}


def job(name: str) -> Any:
    made = scraping.configuration(Path("/kubeconfig"))["scrape_configs"]
    return next(one for one in made if one["job_name"] == name)


def labels(found: dict[str, str]) -> dict[str, str] | None:
    """Apply the rules as Prometheus does: patterns match in full; None for what is not asked."""
    kept: dict[str, str] = {}
    for rule in job("models")["relabel_configs"]:
        (source,) = rule["source_labels"]
        if rule.get("action") == "keep":
            if not re.fullmatch(rule["regex"], found[source]):
                return None
        else:
            kept[rule["target_label"]] = found[source]
    return kept


def test_a_server_is_known_by_its_service_and_its_inference_service() -> None:
    assert labels(FOUND) == {
        "namespace": "models",
        "service": "churn-canary",
        "inferenceservice": "churn-v3",
        "pod": "churn-v3-predictor-1",
    }


@pytest.mark.parametrize("service", [names.primary("churn"), names.canary("churn")])
def test_both_services_of_the_pair_are_asked(service: str) -> None:
    assert labels({**FOUND, "__meta_kubernetes_service_name": service})


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("service_name", "churn"),
        ("service_name", "churn-v3-predictor"),
        ("endpointslice_port_name", "http"),
    ],
)
def test_nothing_else_is_asked(label: str, value: str) -> None:
    assert labels({**FOUND, f"__meta_kubernetes_{label}": value}) is None


def test_only_what_speaks_about_models_keeps_labels_of_its_own() -> None:
    made = scraping.configuration(Path("/kubeconfig"))["scrape_configs"]
    assert [one["job_name"] for one in made if one.get("honor_labels")] == ["observe"]
