"""The typed settings of an environment's platform."""

from __future__ import annotations

from slipway.documents import Frozen
from slipway.settings.argocd import ArgoCdSettings
from slipway.settings.data import FeatureStoreSettings, MlflowSettings
from slipway.settings.monitoring import MonitoringSettings
from slipway.settings.operating import (
    BackupSettings,
    CapacitySettings,
    CostSettings,
    NetworkSettings,
    SecretsSettings,
    ServicesSettings,
)
from slipway.settings.policies import PoliciesSettings
from slipway.settings.serving import (
    CertManagerSettings,
    FlaggerSettings,
    GatewaySettings,
    KserveSettings,
    KyvernoSettings,
    LlmServingSettings,
)


class Platform(Frozen):
    """The components that an environment installs; one that is absent is somebody else's, or not there.

    Each component's settings stand in `slipway/platform/<component>.py`, beside what is made of them.
    """

    network: NetworkSettings | None = None
    capacity: CapacitySettings | None = None
    cert_manager: CertManagerSettings | None = None
    gateway: GatewaySettings | None = None
    flagger: FlaggerSettings | None = None
    kserve: KserveSettings | None = None
    llm_serving: LlmServingSettings | None = None
    kyverno: KyvernoSettings | None = None
    policies: PoliciesSettings | None = None
    secrets: SecretsSettings | None = None
    cost: CostSettings | None = None
    backup: BackupSettings | None = None
    monitoring: MonitoringSettings | None = None
    services: ServicesSettings | None = None
    argocd: ArgoCdSettings | None = None
    mlflow: MlflowSettings | None = None
    feature_store: FeatureStoreSettings | None = None
