"""Compiler of Prometheus, Alertmanager and Grafana."""

from __future__ import annotations

import json

import yaml

from slipway.objects import Object
from slipway.platform import alertmanager, grafana, places, scraping
from slipway.platform.context import Context
from slipway.platform.isolation import Opening, isolate, network, pods_of
from slipway.platform.places import FLAGGER, JUDGE, OBSERVE, SLIPWAY
from slipway.platform.rules import rules
from slipway.platform.secrets import entry, external_secret
from slipway.platform.systems import System, config_map, may_read
from slipway.platform.tiers import ORDER, below
from slipway.policy.stages import namespace
from slipway.settings.environment import Environment
from slipway.settings.monitoring import GRAFANA, NAMESPACE, RECEIVERS, MonitoringSettings

PROMETHEUS_PORT, ALERTMANAGER_PORT, STATE_PORT = places.PROMETHEUS_PORT, 9093, 8080
_ANYWHERE = network("0.0.0.0/0")
#: The series of kube-state-metrics that alerts and dashboards read, a tenth of all.
_STATES = "^kube_deployment_(spec_replicas|status_replicas_available)$|^kube_pod_container_status_restarts_total$"


def compile_monitoring(settings: MonitoringSettings, context: Context) -> tuple[Object, ...]:
    """Compile the monitoring systems; only Prometheus may read metrics.

    Raises:
        SlipwayError: The scrape interval is too long for the rollout interval.
    """
    environment = context.environment
    longest = environment.rollout.interval_seconds // 2
    if settings.scrape_interval_seconds > longest:
        problem = f"expected at most {longest}, half of slipway:rollout.interval_seconds"
        raise context.error(
            "monitoring.scrape_interval_seconds", f"{problem}, got {settings.scrape_interval_seconds}; lower it"
        )
    return (
        namespace(NAMESPACE),
        *_prometheus(settings, context),
        *_alertmanager(settings),
        *(_kube_state_metrics() if settings.states else ()),
        *(grafana.compile_grafana(NAMESPACE, GRAFANA) if settings.grafana else ()),
        *_secrets(settings, environment),
        *_network(environment),
    )


def configuration(settings: MonitoringSettings, environment: Environment) -> Object:
    """Return Prometheus' configuration in a cluster."""
    jobs = {
        "flagger": scraping.pods((FLAGGER,), "flagger", "http"),
        "gateway": scraping.pods((environment.gateway.namespace,), "traefik", "metrics"),
        "judge": scraping.pods((SLIPWAY,), JUDGE, "http"),
        "observe": scraping.pods((SLIPWAY,), OBSERVE, "http"),
        "kube-state-metrics": scraping.pods((NAMESPACE,), "kube-state-metrics", "metrics"),
        # NVIDIA's exporter, in any namespace.
        "gpu": scraping.pods((), "dcgm-exporter", "metrics"),
    }
    found = scraping.configuration(settings.scrape_interval_seconds, {}, jobs)
    quiet = "|".join(sorted(settings.quiet_models))
    # From the lowest tier up, so that no alert is lowered twice.
    lowered = [
        {
            "source_labels": ["model", "tier"],
            "regex": f"({quiet});{tier}",
            "target_label": "tier",
            "replacement": below(tier),
        }
        for tier in reversed(ORDER[:-1])
    ]
    return {
        **found,
        "rule_files": ["/etc/prometheus/rules.yaml"],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [f"alertmanager:{ALERTMANAGER_PORT}"]}]}],
            **({"alert_relabel_configs": lowered} if quiet else {}),
        },
    }


def _prometheus(settings: MonitoringSettings, context: Context) -> tuple[Object, ...]:
    files = {
        "prometheus.yaml": _text(configuration(settings, context.environment)),
        "rules.yaml": _text(rules(context.models, settings.highest_tier)),
    }
    return System(
        name="prometheus",
        namespace=NAMESPACE,
        image="quay.io/prometheus/prometheus:v3.5.0",
        args=(
            "--config.file=/etc/prometheus/prometheus.yaml",
            "--storage.tsdb.path=/prometheus",
            f"--storage.tsdb.retention.time={settings.retention_days}d",
            # Scrape a candidate's new servers at once; the default delay is five seconds.
            "--scrape.discovery-reload-interval=1s",
        ),
        port=PROMETHEUS_PORT,
        probe="/-/ready",
        cpu="500m",
        memory=settings.memory,
        may=(may_read("", "pods", "services"), may_read("discovery.k8s.io", "endpointslices")),
        files={"/etc/prometheus": config_map("prometheus", NAMESPACE, files)},
        data="/prometheus",
        storage_gib=settings.storage_gib,
    ).objects()


def _alertmanager(settings: MonitoringSettings) -> tuple[Object, ...]:
    text = _text(alertmanager.configuration(settings.receivers.named, settings.retraining_url))
    return System(
        name="alertmanager",
        namespace=NAMESPACE,
        image="quay.io/prometheus/alertmanager:v0.28.1",
        args=(
            "--config.file=/etc/alertmanager/alertmanager.yaml",
            "--storage.path=/alertmanager",
            # One instance has no peers.
            "--cluster.listen-address=",
        ),
        port=ALERTMANAGER_PORT,
        probe="/-/ready",
        cpu="50m",
        memory="128Mi",
        files={"/etc/alertmanager": config_map("alertmanager", NAMESPACE, {"alertmanager.yaml": text})},
        secrets={alertmanager.SECRETS: RECEIVERS} if settings.receivers.named else {},
        data="/alertmanager",
        # Silences survive restarts; a few kB.
        storage_gib=1 if settings.storage_gib else None,
    ).objects()


def _kube_state_metrics() -> tuple[Object, ...]:
    return System(
        name="kube-state-metrics",
        namespace=NAMESPACE,
        image="registry.k8s.io/kube-state-metrics/kube-state-metrics:v2.17.0",
        args=(f"--port={STATE_PORT}", "--resources=deployments,pods", f"--metric-allowlist={_STATES}"),
        port=STATE_PORT,
        port_name="metrics",
        probe="/livez",
        cpu="50m",
        memory="256Mi",
        may=(may_read("", "pods"), may_read("apps", "deployments")),
    ).objects()


def _secrets(settings: MonitoringSettings, environment: Environment) -> tuple[Object, ...]:
    if environment.platform.secrets is None:
        return ()
    wanted = [*([RECEIVERS] if settings.receivers.named else []), *([GRAFANA] if settings.grafana else [])]
    return tuple(external_secret(NAMESPACE, name, entry(environment, name)) for name in wanted)


def _network(environment: Environment) -> tuple[Object, ...]:
    """Allow the connections of monitoring; `kubectl port-forward` bypasses network policies."""
    here = pods_of(NAMESPACE)
    asked = (pods_of(environment.namespace), pods_of(FLAGGER), pods_of(environment.gateway.namespace))
    return isolate(
        NAMESPACE,
        ingress={
            "itself": Opening((here,)),
            # Flagger reads metrics where no judge is set.
            "askers": Opening((pods_of(FLAGGER), pods_of(SLIPWAY)), (PROMETHEUS_PORT,)),
        },
        egress={
            "itself": Opening((here,)),
            "measured": Opening((*asked, pods_of(SLIPWAY))),
            # The API server has no pods, and receivers are outside the cluster.
            "https": Opening((_ANYWHERE,), (443, 6443)),
        },
    )


def _text(content: Object) -> str:
    """Return YAML without aliases."""
    plain = json.loads(json.dumps(content))
    return yaml.dump(plain, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False, width=120)
