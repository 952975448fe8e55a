"""Type tokens of the components.

A token is part of every URN: renaming one needs an alias, or everything under it is replaced.
"""

from __future__ import annotations

MODEL = "slipway:model:Model"
DELIVERED = "slipway:model:Delivered"
METRICS = "slipway:metrics:Metrics"
PLATFORM = "slipway:platform:Platform"
FLAGGER = "slipway:flagger:Flagger"
NETWORK = "slipway:network:Network"
KSERVE = "slipway:kserve:Kserve"
KYVERNO = "slipway:kyverno:Kyverno"
POLICIES = "slipway:policies:Policies"
SECRETS = "slipway:secrets:Secrets"
COST = "slipway:cost:Cost"
BACKUP = "slipway:backup:Backup"
CERT_MANAGER = "slipway:cert_manager:CertManager"
MONITORING = "slipway:monitoring:Monitoring"
SERVICES = "slipway:services:Services"
ARGOCD = "slipway:argocd:ArgoCd"
GATEWAY = "slipway:gateway:Gateway"
VPC = "slipway:aws:Vpc"
CLUSTER = "slipway:aws:Cluster"
NODES = "slipway:aws:Nodes"
ADDONS = "slipway:aws:Addons"
ENDPOINTS = "slipway:aws:Endpoints"
POD_ROLE = "slipway:aws:PodRole"
IMAGES = "slipway:aws:Images"
BUCKET = "slipway:aws:Bucket"
DATABASE = "slipway:aws:Database"
MLFLOW_STORE = "slipway:aws:MlflowStore"
