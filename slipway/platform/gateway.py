"""Compiler of Gateway API, the environment's Gateway and Traefik."""

from __future__ import annotations

from slipway.objects import Object
from slipway.platform import traefik
from slipway.platform.context import Context
from slipway.platform.workloads import CONFINED, RBAC, USER, binding, budget, manifest, spread
from slipway.policy.stages import namespace
from slipway.settings.policies import AUDIT
from slipway.settings.serving import CERTIFICATE, GatewaySettings

DEFINITIONS = "sigs.k8s.io/gateway-api/config/crd/standard"
TRAEFIK = "github.com/traefik/traefik/v3/docs/content/reference/dynamic-configuration"
#: The version of the Go module with the definitions, permissions and the lab's binary.
IMAGE = "docker.io/library/traefik:v3.6.0"
NAME = "traefik"
GROUP = "gateway.networking.k8s.io"
#: Ports of the load balancer and of Traefik, which matches listeners to entry points by port.
PORTS = {"http": (80, 8000), "https": (443, 8443)}
PING, METRICS = 8080, 9100
#: Seconds for which a terminating pod still accepts requests, until every load balancer has removed it.
GRACE = 20


def compile_gateway(settings: GatewaySettings, context: Context) -> tuple[Object, ...]:
    """Compile the definitions, Traefik with minimal permissions, and the Gateway."""
    return (
        namespace(context.environment.gateway.namespace, AUDIT),
        *_definitions(context),
        *_permissions(context),
        *_data_plane(settings, context),
        *_entrance(settings, context),
    )


def _definitions(context: Context) -> list[Object]:
    patterns = [f"{DEFINITIONS}/*.yaml"]
    if context.environment.gateway.mirrors == "traefik":
        # Only two kinds are used, but Traefik waits for all of them (pkg/provider/kubernetes/crd/client.go, WatchAll).
        patterns.append(f"{TRAEFIK}/traefik.io_*.yaml")
    return [each for pattern in patterns for each in context.charts.read(pattern)]


def _permissions(context: Context) -> list[Object]:
    """Allow Traefik to read Secrets in the namespaces of the Gateway and the models only."""
    where = context.environment.gateway.namespace
    files = ["kubernetes-gateway-rbac.yml"]
    files += ["kubernetes-crd-rbac.yml"] if context.environment.gateway.mirrors == "traefik" else []
    shipped = [each for file in files for each in context.charts.read(f"{TRAEFIK}/{file}")]
    rules = [rule for each in shipped if each["kind"] == "ClusterRole" for rule in each["rules"]]
    cluster = [
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list", "watch"]},
        {"apiGroups": [GROUP], "resources": ["gatewayclasses"], "verbs": ["get", "list", "watch"]},
        {"apiGroups": [GROUP], "resources": ["gatewayclasses/status"], "verbs": ["update"]},
    ]
    return [
        manifest("v1", "ServiceAccount", NAME, where),
        manifest(f"{RBAC}/v1", "ClusterRole", NAME, rules=rules),
        manifest(f"{RBAC}/v1", "ClusterRole", f"{NAME}-classes", rules=cluster),
        binding(f"{NAME}-classes", NAME, where),
        *(binding(NAME, NAME, where, namespace=each) for each in sorted({where, context.environment.namespace})),
    ]


def _data_plane(settings: GatewaySettings, context: Context) -> list[Object]:
    gateway = context.environment.gateway
    outer, inner = PORTS[gateway.scheme]
    labels = {"app.kubernetes.io/name": NAME}
    arguments = traefik.arguments(
        {gateway.scheme: f":{inner}"},
        ping=f":{PING}",
        metrics=f":{METRICS}",
        namespaces=tuple(sorted({gateway.namespace, context.environment.namespace})),
        copies=gateway.mirrors == "traefik",
    )
    arguments += [
        f"--entrypoints.{gateway.scheme}.transport.lifecycle.requestacceptgracetimeout={GRACE}",
        f"--providers.kubernetesgateway.statusaddress.service.name={NAME}",
        f"--providers.kubernetesgateway.statusaddress.service.namespace={gateway.namespace}",
    ]
    ports = {gateway.scheme: inner, "ping": PING, "metrics": METRICS}
    container = {
        "name": NAME,
        "image": IMAGE,
        "args": arguments,
        "ports": [{"name": name, "containerPort": port} for name, port in ports.items()],
        "readinessProbe": {"httpGet": {"path": "/ping", "port": "ping"}, "periodSeconds": 5},
        "livenessProbe": {"httpGet": {"path": "/ping", "port": "ping"}, "failureThreshold": 6},
        # No CPU limit: a throttled gateway looks like a slow model.
        "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "512Mi"}},
        "securityContext": dict(CONFINED),
    }
    pod = {
        "serviceAccountName": NAME,
        "terminationGracePeriodSeconds": GRACE + 10,
        "securityContext": {"runAsNonRoot": True, "runAsUser": USER, "seccompProfile": {"type": "RuntimeDefault"}},
        "topologySpreadConstraints": spread(labels),
        "containers": [container],
    }
    scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": str(METRICS)}
    deployment = {
        "replicas": settings.replicas,
        "selector": {"matchLabels": labels},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
        "template": {"metadata": {"labels": labels, "annotations": scraped}, "spec": pod},
    }
    service = {
        "type": settings.service,
        "selector": labels,
        "ports": [{"name": gateway.scheme, "port": outer, "targetPort": gateway.scheme}],
    }
    return [
        manifest("apps/v1", "Deployment", NAME, gateway.namespace, spec=deployment),
        manifest("v1", "Service", NAME, gateway.namespace, annotations=settings.annotations, spec=service),
        *budget(gateway.namespace, NAME, settings.replicas),
    ]


def _entrance(settings: GatewaySettings, context: Context) -> list[Object]:
    """Return the Gateway: it serves all models' names, and admits routes of the models' namespace only."""
    gateway = context.environment.gateway
    names = f"*.{gateway.host_suffix}"
    allowed = {"matchLabels": {"kubernetes.io/metadata.name": context.environment.namespace}}
    listener: Object = {
        "name": gateway.scheme,
        "port": PORTS[gateway.scheme][1],
        "protocol": gateway.scheme.upper(),
        "hostname": names,
        "allowedRoutes": {"namespaces": {"from": "Selector", "selector": allowed}},
    }
    certificates = []
    if gateway.scheme == "https":
        listener["tls"] = {"mode": "Terminate", "certificateRefs": [{"name": CERTIFICATE}]}
        if settings.issuer:
            signed = {
                "secretName": CERTIFICATE,
                "dnsNames": [names],
                "issuerRef": {"kind": "ClusterIssuer", "name": settings.issuer},
            }
            certificates = [manifest("cert-manager.io/v1", "Certificate", CERTIFICATE, gateway.namespace, spec=signed)]
    spec = {"gatewayClassName": NAME, "listeners": [listener]}
    return [
        *certificates,
        manifest(f"{GROUP}/v1", "GatewayClass", NAME, spec={"controllerName": traefik.CONTROLLER}),
        manifest(f"{GROUP}/v1", "Gateway", gateway.name, gateway.namespace, spec=spec),
    ]
