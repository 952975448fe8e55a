"""Table of the platform's systems, and their compilation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from slipway.objects import Object
from slipway.platform.argocd import compile_argocd
from slipway.platform.backup import compile_backup
from slipway.platform.capacity import compile_capacity
from slipway.platform.cert_manager import compile_cert_manager
from slipway.platform.charts import Charts
from slipway.platform.context import Context
from slipway.platform.cost import compile_cost
from slipway.platform.feature_store import compile_feature_store
from slipway.platform.flagger import compile_flagger
from slipway.platform.gateway import compile_gateway
from slipway.platform.kserve import compile_kserve
from slipway.platform.kyverno import compile_kyverno
from slipway.platform.llm_serving import compile_llm_serving
from slipway.platform.mlflow import compile_mlflow
from slipway.platform.monitoring import compile_monitoring
from slipway.platform.network import compile_network
from slipway.platform.policies import compile_policies
from slipway.platform.secrets import compile_secrets
from slipway.platform.services import compile_services
from slipway.settings.checkout import Checkout
from slipway.settings.environment import Environment
from slipway.settings.platform import Platform
from slipway.tools import toolchain

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class Row(Generic[Settings]):
    """One system of the platform.

    Args:
        name: Its key in the settings.
        settings: Reads its settings; None means that the environment does not install it.
        compile: Compiles its objects.
    """

    name: str
    settings: Callable[[Platform], Settings | None]
    compile: Callable[[Settings, Context], tuple[Object, ...]]

    def objects(self, context: Context) -> tuple[Object, ...]:
        """Return its objects; none if the environment does not install it.

        Raises:
            SlipwayError: It cannot be compiled.
        """
        settings = self.settings(context.environment.platform)
        return () if settings is None else self.compile(settings, context)


NETWORK = Row("network", lambda of: of.network, compile_network)
CAPACITY = Row("capacity", lambda of: of.capacity, compile_capacity)
COST = Row("cost", lambda of: of.cost, compile_cost)
SECRETS = Row("secrets", lambda of: of.secrets, compile_secrets)
BACKUP = Row("backup", lambda of: of.backup, compile_backup)
KYVERNO = Row("kyverno", lambda of: of.kyverno, compile_kyverno)
POLICIES = Row("policies", lambda of: of.policies, compile_policies)
CERT_MANAGER = Row("cert_manager", lambda of: of.cert_manager, compile_cert_manager)
GATEWAY = Row("gateway", lambda of: of.gateway, compile_gateway)
KSERVE = Row("kserve", lambda of: of.kserve, compile_kserve)
LLM_SERVING = Row("llm_serving", lambda of: of.llm_serving, compile_llm_serving)
FLAGGER = Row("flagger", lambda of: of.flagger, compile_flagger)
MLFLOW = Row("mlflow", lambda of: of.mlflow, compile_mlflow)
FEATURE_STORE = Row("feature_store", lambda of: of.feature_store, compile_feature_store)
MONITORING = Row("monitoring", lambda of: of.monitoring, compile_monitoring)
SERVICES = Row("services", lambda of: of.services, compile_services)
ARGOCD = Row("argocd", lambda of: of.argocd, compile_argocd)
#: All systems, in the order of declaration unless dependencies require another. Classes: `stacks/platform.py`.
SYSTEMS: tuple[Row[Any], ...] = (
    *(NETWORK, CAPACITY, COST, SECRETS, BACKUP, KYVERNO, POLICIES, CERT_MANAGER, GATEWAY, KSERVE, LLM_SERVING, FLAGGER),
    *(MLFLOW, FEATURE_STORE, MONITORING, SERVICES, ARGOCD),
)


def context_of(environment: Environment, checkout: Checkout) -> Context:
    """Return the inputs that all systems share.

    Raises:
        SlipwayError: The tools that render charts are not built, or a model spec is invalid.
    """
    charts = Charts(toolchain.binary("helm"), toolchain.data("charts"), toolchain.cache() / "rendered")
    # A checkout of the platform alone has no models.
    models = tuple(checkout.specs.values()) if (checkout.root / "models").is_dir() else ()
    return Context(environment, charts, models)


def compile_all(context: Context) -> dict[str, tuple[Object, ...]]:
    """Compile the systems that an environment installs, by name.

    Raises:
        SlipwayError: One of them cannot be compiled.
    """
    return {system.name: objects for system in SYSTEMS if (objects := system.objects(context))}
