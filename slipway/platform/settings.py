"""The typed settings of an environment's platform."""

from __future__ import annotations

from slipway.documents import Frozen
from slipway.platform.argocd import ArgoCdSettings
from slipway.platform.backup import BackupSettings
from slipway.platform.capacity import CapacitySettings
from slipway.platform.cert_manager import CertManagerSettings
from slipway.platform.cost import CostSettings
from slipway.platform.feature_store import FeatureStoreSettings
from slipway.platform.flagger import FlaggerSettings
from slipway.platform.gateway import GatewaySettings
from slipway.platform.kserve import KserveSettings
from slipway.platform.kyverno import KyvernoSettings
from slipway.platform.llm_serving import LlmServingSettings
from slipway.platform.mlflow import MlflowSettings
from slipway.platform.monitoring import MonitoringSettings
from slipway.platform.network import NetworkSettings
from slipway.platform.secrets import SecretsSettings
from slipway.platform.services import ServicesSettings
from slipway.policy.settings import PoliciesSettings


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
