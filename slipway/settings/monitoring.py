"""Settings of monitoring: Prometheus, Alertmanager and Grafana."""

from typing import Annotated, Literal

from pydantic import Field

from slipway.documents import Frozen

#: `page` wakes the person on call, `ticket` waits for working hours, `notice` waits for a reader.
Tier = Literal["page", "ticket", "notice"]
#: A kind of receiver; its address is in a Secret, since it is the only credential.
Means = Literal["pagerduty", "slack", "webhook"]

#: The namespace of Prometheus, Alertmanager and Grafana.
NAMESPACE = "monitoring"
#: Secrets that monitoring reads; with `platform.secrets` they come from `slipway/<environment>/<name>` of the store.
RECEIVERS, GRAFANA = "alertmanager-receivers", "grafana-admin"


class Receivers(Frozen):
    """The receiver of each tier of alerts."""

    page: Means | None = Field(None, description="The receiver that wakes the person on call.")
    ticket: Means | None = Field(None, description="The receiver for working hours.")
    notice: Means | None = Field(None, description="The receiver that is read when there is time.")

    @property
    def named(self) -> dict[Tier, Means]:
        """The tiers that have a receiver."""
        given: tuple[tuple[Tier, Means | None], ...] = (
            ("page", self.page),
            ("ticket", self.ticket),
            ("notice", self.notice),
        )
        return {tier: means for tier, means in given if means}


class MonitoringSettings(Frozen):
    """Monitoring: Prometheus, Alertmanager and Grafana."""

    scrape_interval_seconds: Annotated[int, Field(ge=1)] = Field(
        15,
        description="Seconds between two scrapes of a server; at most half of rollout.interval_seconds, since the "
        "judge needs one in each interval. 15 is the value of Prometheus' guide.",
    )
    retention_days: Annotated[int, Field(ge=1)] = Field(
        30, description="Days that series are kept; delivery is measured over 28."
    )
    storage_gib: Annotated[int, Field(ge=1)] | None = Field(
        50, description="GiB of Prometheus' volume; none keeps series only as long as its pod."
    )
    memory: str = Field("4Gi", description="Memory of Prometheus; a million series take about 4 GiB.")
    highest_tier: Tier = Field("page", description="The highest tier of alerts here: page, ticket or notice.")
    receivers: Receivers = Field(
        default_factory=Receivers,
        description="The receiver of each tier: pagerduty, slack or webhook; its address is the tier's key in the "
        f"Secret {RECEIVERS}. A tier that is not named is only seen in Alertmanager.",
    )
    quiet_models: tuple[str, ...] = Field((), description="Models without users yet: their alerts are one tier lower.")
    retraining_url: str | None = Field(
        None,
        description="Webhook that is called when inputs have drifted, as Argo Workflows' or Tekton's; none: no call.",
    )
    states: bool = Field(
        True, description="Whether Kubernetes' state (replicas, restarts) is measured, by kube-state-metrics."
    )
    grafana: bool = Field(True, description=f"Whether dashboards are served; their admin is in the Secret {GRAFANA}.")
