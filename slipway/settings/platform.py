"""Settings of an environment's platform."""

from pydantic import model_validator

from slipway.documents import Frozen
from slipway.settings.argocd import ArgoCdSettings
from slipway.settings.data import FeatureStoreSettings, MlflowSettings
from slipway.settings.monitoring import NAMESPACE, MonitoringSettings
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
    """The systems that an environment installs; another program may install the others.

    Each is compiled in `slipway/platform/<system>.py`.
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

    @model_validator(mode="after")
    def _prometheus_may_read(self) -> "Platform":
        if self.network and self.monitoring and self.network.monitoring_namespace != NAMESPACE:
            raise ValueError(
                f"network.monitoring_namespace: expected {NAMESPACE!r}, where platform.monitoring runs Prometheus, got"
                f" {self.network.monitoring_namespace!r}: its metrics of all models would stop; remove one of the two"
            )
        return self
