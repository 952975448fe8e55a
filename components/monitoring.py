"""Component for Prometheus, Alertmanager and Grafana.

Volumes and their namespace stay when the component is deleted. Open Grafana by
`kubectl port-forward -n monitoring service/grafana 3000`.
"""

from components.system import DATA, Objects, Outputs, System
from slipway.platform.monitoring import ALERTMANAGER_PORT, PROMETHEUS_PORT
from slipway.settings.monitoring import NAMESPACE


class Monitoring(System):
    """Prometheus, Alertmanager and Grafana.

    Outputs:
        prometheus: Its URL inside the cluster.
        alertmanager: Its URL inside the cluster.
    """

    TOKEN = "slipway:monitoring:Monitoring"
    KEPT = DATA

    @staticmethod
    def describe(objects: Objects) -> Outputs:
        return {
            "prometheus": f"http://prometheus.{NAMESPACE}:{PROMETHEUS_PORT}",
            "alertmanager": f"http://alertmanager.{NAMESPACE}:{ALERTMANAGER_PORT}",
        }
