"""Compiler of the project's services: the judge for Flagger, and observe, which joins answers with labels."""

from __future__ import annotations

import yaml

from slipway.objects import Object
from slipway.platform import places
from slipway.platform.context import Context
from slipway.platform.isolation import Opening, isolate, network, pods_of
from slipway.platform.systems import System, claim, config_map, may_read, volume
from slipway.platform.workloads import deployment, manifest, service_account
from slipway.policy.stages import namespace
from slipway.settings.monitoring import NAMESPACE as MONITORING
from slipway.settings.operating import ServicesSettings

NAMESPACE = places.SLIPWAY
JUDGE, OBSERVE, DRIFT = places.JUDGE, places.OBSERVE, "slipway-drift"
JUDGE_PORT, OBSERVE_PORT = 9091, 9092
#: Mount path of a pod's service account token.
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"


def compile_services(settings: ServicesSettings, context: Context) -> tuple[Object, ...]:
    """Compile the services with their permissions and network policies."""
    return (
        namespace(NAMESPACE),
        *_judge(settings, context),
        *_observe(settings, context),
        *(_drift(settings, settings.drift_image) if settings.drift_image else ()),
        *_network(settings, context),
    )


def _judge(settings: ServicesSettings, context: Context) -> tuple[Object, ...]:
    config = config_map(f"{JUDGE}-kubeconfig", NAMESPACE, {"config": yaml.safe_dump(_kubeconfig())})
    return System(
        name=JUDGE,
        namespace=NAMESPACE,
        image=settings.image,
        command=("python", "-m", "slipway.judge"),
        args=(
            f"--listen=0.0.0.0:{JUDGE_PORT}",
            "--kubeconfig=/etc/slipway/config",
            f"--prometheus={context.environment.prometheus_url}",
            "--ledger=/ledger/ledger.jsonl",
        ),
        port=JUDGE_PORT,
        probe="/healthz",
        cpu="100m",
        # It evaluates 1,000 windows with numpy (docs/performance.md, "The judge").
        memory="512Mi",
        may=_MAY,
        files={"/etc/slipway": config},
        data="/ledger",
        storage_gib=settings.storage_gib,
    ).objects()


#: The judge reads rollouts. It deletes only routes that copy requests to a failed shadow (slipway/judge/shadows.py).
_MAY = (
    may_read("flagger.app", "canaries"),
    may_read("serving.kserve.io", "inferenceservices"),
    may_read("gateway.networking.k8s.io", "httproutes"),
    may_read("", "services", "events"),
    {"apiGroups": ["traefik.io"], "resources": ["ingressroutes"], "verbs": ["get", "list", "watch", "delete"]},
)


def _observe(settings: ServicesSettings, context: Context) -> tuple[Object, ...]:
    # Without the files' comments.
    specs = {f"{each.name}.yaml": yaml.safe_dump(each.model_dump(exclude_defaults=True)) for each in context.models}
    return System(
        name=OBSERVE,
        namespace=NAMESPACE,
        image=settings.image,
        command=("python", "-m", "slipway.observe"),
        args=(f"--listen=0.0.0.0:{OBSERVE_PORT}", "--models=/etc/slipway/models"),
        port=OBSERVE_PORT,
        probe="/healthz",
        cpu="100m",
        # A full window takes 120 MB, each of 128 versions 5 at most, scipy 80 (docs/quality.md).
        memory="1Gi",
        files={"/etc/slipway/models": config_map(f"{OBSERVE}-models", NAMESPACE, specs)},
    ).objects()


def _drift(settings: ServicesSettings, image: str) -> tuple[Object, ...]:
    """Return the job that writes drift reports; the newest of each version stays in a volume."""
    container = {
        "image": image,
        "command": ["python", "-m", "slipway.observe.report"],
        "args": [f"--observe=http://{OBSERVE}.{NAMESPACE}:{OBSERVE_PORT}", "--directory=/reports"],
        "resources": {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"memory": "2Gi"}},
        "volumeMounts": [{"name": "reports", "mountPath": "/reports"}],
    }
    stored = volume(DRIFT, settings.storage_gib)
    pod = deployment(NAMESPACE, DRIFT, container, volumes={"reports": stored})["spec"]["template"]
    pod["spec"]["restartPolicy"] = "Never"
    spec = {
        "schedule": settings.drift_schedule,
        "concurrencyPolicy": "Forbid",
        "jobTemplate": {"spec": {"backoffLimit": 1, "activeDeadlineSeconds": 1800, "template": pod}},
    }
    return (
        service_account(NAMESPACE, DRIFT),
        *([claim(NAMESPACE, DRIFT, settings.storage_gib)] if settings.storage_gib else []),
        manifest("batch/v1", "CronJob", DRIFT, NAMESPACE, spec=spec),
    )


def _network(settings: ServicesSettings, context: Context) -> tuple[Object, ...]:
    own, monitoring, flagger = pods_of(NAMESPACE), pods_of(MONITORING), pods_of(places.FLAGGER)
    senders = tuple(map(pods_of, (context.environment.namespace, *settings.senders)))
    return isolate(
        NAMESPACE,
        ingress={
            "flagger": Opening((flagger,), (JUDGE_PORT,)),
            "monitoring": Opening((monitoring,), (JUDGE_PORT, OBSERVE_PORT)),
            # The models' agents and the applications.
            "senders": Opening(senders, (OBSERVE_PORT,)),
            "itself": Opening((own,), (OBSERVE_PORT,)),
        },
        egress={
            "prometheus": Opening((monitoring,), (places.PROMETHEUS_PORT,)),
            # The drift job reads from observe.
            "itself": Opening((own,), (OBSERVE_PORT,)),
            # The API server has no pods.
            "api-server": Opening((network("0.0.0.0/0"),), (443, 6443)),
        },
    )


def _kubeconfig() -> Object:
    """Return a kubeconfig of the pod's service account, whose token Kubernetes rotates every hour."""
    cluster = {"server": "https://kubernetes.default.svc", "certificate-authority": f"{_ACCOUNT}/ca.crt"}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "contexts": [{"name": "pod", "context": {"cluster": "own", "user": "account"}}],
        "clusters": [{"name": "own", "cluster": cluster}],
        "users": [{"name": "account", "user": {"tokenFile": f"{_ACCOUNT}/token"}}],
    }
