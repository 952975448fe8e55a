"""Namespaces, names and ports of systems that other systems refer to."""

from __future__ import annotations

FLAGGER, MLFLOW, FEATURE_STORE, SLIPWAY = "flagger-system", "mlflow", "feature-store", "slipway"
JUDGE, OBSERVE = "slipway-judge", "slipway-observe"
PROMETHEUS_PORT, MLFLOW_PORT, FEATURE_STORE_PORT = 9090, 5000, 6566
