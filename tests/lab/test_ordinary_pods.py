"""Pods that are no model servers: they ask the API server, find each other by name, are called by it, keep files."""

from __future__ import annotations

import base64
import datetime
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kubelet_stage import kill_pod
from running_lab import Lab

from slipway.clients.kube import KubeError

Object = dict[str, Any]
Run = Callable[..., str]
NAMESPACE = "ordinary"
#: Asks for each URL, prints what comes back, or why nothing does.
FETCH = """
import sys, time, urllib.request
for url in sys.argv[1:]:
    began = time.monotonic()
    try:
        print(urllib.request.urlopen(url, timeout=5).read().decode())
    except OSError as error:
        print(type(getattr(error, "reason", error)).__name__, "at once" if time.monotonic() - began < 1 else "late")
"""
#: Begins when the first URL answers: names and addresses follow what the API server says, a moment later.
PATIENCE = """
import sys, time, urllib.request
for attempt in range(100):
    try:
        urllib.request.urlopen(sys.argv[1], timeout=5).close()
        break
    except OSError:
        time.sleep(0.1)
"""
#: Says who it is to everybody.
SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["HOSTNAME"].encode())
http.server.HTTPServer(("", 8080), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def namespace(lab: Lab) -> Iterator[Lab]:
    lab.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    yield lab
    lab.kube.delete("v1", "Namespace", NAMESPACE)


@pytest.fixture
def run(namespace: Lab) -> Iterator[Run]:
    """Run a Python program as a pod until it ends; return what it printed."""
    names: list[str] = []

    def go(name: str, code: str, *arguments: str, **spec: Any) -> str:
        main = {"name": "main", "image": "busybox:1", "command": [sys.executable, "-c", code, *arguments]}
        start(namespace, name, {**main, **spec.pop("container", {})}, restartPolicy="Never", **spec)
        names.append(name)
        namespace.kube.wait_for(
            "v1", "Pod", name, NAMESPACE, lambda pod: pod["status"]["phase"] in ("Succeeded", "Failed"), timeout=30
        )
        return (namespace.paths.kubelet / "pods" / f"{NAMESPACE}_{name}" / "main.log").read_text()

    yield go
    for name in names:
        kill_pod(namespace.kube, name, NAMESPACE)


def start(lab: Lab, pod: str, container: Object, labels: Object | None = None, **spec: Any) -> None:
    metadata = {"name": pod, "namespace": NAMESPACE, "labels": labels or {}}
    body = {"containers": [container], "terminationGracePeriodSeconds": 1, **spec}
    lab.kube.create({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": body})


def serve(lab: Lab, name: str, code: str, port: Object, replicas: int = 1, volume: Object | None = None) -> None:
    """Run servers behind a Service of the same name, until all of them are ready."""
    ready = {"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}}
    container = {"name": "main", "image": "busybox:1", "command": [sys.executable, "-c", code], **ready}
    # Seen where its name says.
    mounts = {"volumeMounts": [{"name": volume["name"], "mountPath": f"/{volume['name']}"}]} if volume else {}
    for number in range(replicas):
        start(lab, f"{name}-{number}", {**container, **mounts}, {"app": name}, volumes=[volume] if volume else [])
    service = {"selector": {"app": name}, "ports": [{"targetPort": 8080, **port}]}
    lab.kube.create(named("v1", "Service", name, spec=service))

    def all_ready(pieces: Object) -> bool:
        ends = pieces.get("endpoints") or ()
        return len(ends) == replicas and all(end["conditions"]["ready"] for end in ends)

    changes = lab.kube.watch(
        "discovery.k8s.io/v1", "EndpointSlice", NAMESPACE, label_selector=f"kubernetes.io/service-name={name}"
    )
    next(pieces for _, pieces in changes if all_ready(pieces))


def named(api_version: str, kind: str, name: str, **rest: Any) -> Object:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": NAMESPACE}, **rest}


ASK_THE_API = """
import json, os, ssl, sys, urllib.request
account = "/var/run/secrets/kubernetes.io/serviceaccount"
token, namespace = (open(f"{account}/{name}").read() for name in ("token", "namespace"))
trust = ssl.create_default_context(cafile=f"{account}/ca.crt")
own = f"{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
for server, kind in ((own, "pods"), ("kubernetes.default.svc", "pods"), (own, "secrets")):
    url = f"https://{server}/api/v1/namespaces/{namespace}/{kind}"
    try:
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
        print(json.load(urllib.request.urlopen(request, context=trust, timeout=5))["kind"])
    except urllib.error.HTTPError as error:
        print(json.load(error)["message"])
"""


def test_a_pod_asks_the_api_server_as_its_service_account_which_may_what_its_role_says(
    namespace: Lab, run: Run
) -> None:
    for obj in (
        named("v1", "ServiceAccount", "reader"),
        named(
            "rbac.authorization.k8s.io/v1",
            "Role",
            "reader",
            rules=[{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}],
        ),
        named(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "reader",
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
            subjects=[{"kind": "ServiceAccount", "name": "reader", "namespace": NAMESPACE}],
        ),
    ):
        namespace.kube.create(obj)
    own, by_name, refused = run("asks", ASK_THE_API, serviceAccountName="reader").splitlines()
    assert (own, by_name) == ("PodList", "PodList")
    assert f'User "system:serviceaccount:{NAMESPACE}:reader" cannot list resource "secrets"' in refused


def test_a_pod_without_an_account_to_use_is_given_no_token(run: Run) -> None:
    code = "import os; print(os.path.exists('/var/run/secrets/kubernetes.io'))"
    assert run("no-token", code, automountServiceAccountToken=False) == "False\n"


def test_a_service_answers_by_each_of_its_names_with_any_of_its_pods(namespace: Lab, run: Run) -> None:
    serve(namespace, "web", SERVER, {"port": 80}, replicas=2)
    address = namespace.kube.get("v1", "Service", "web", NAMESPACE)["spec"]["clusterIP"]
    forms = ["web", f"web.{NAMESPACE}", f"web.{NAMESPACE}.svc", f"web.{NAMESPACE}.svc.cluster.local", address]
    answers = run("client", PATIENCE + FETCH, *(f"http://{form}/" for form in forms * 5)).split()
    assert len(answers) == 25
    assert set(answers) == {"web-0", "web-1"}


def test_a_name_that_there_is_not_and_a_service_without_pods_are_refused_at_once(namespace: Lab, run: Run) -> None:
    spec = {"selector": {"app": "nobody"}, "ports": [{"port": 80}]}
    namespace.kube.create(named("v1", "Service", "empty", spec=spec))
    nowhere, empty = run("lonely", FETCH, "http://nowhere/", "http://empty/").splitlines()
    assert nowhere == "gaierror at once"
    assert empty.endswith(" at once")


WEBHOOK = """
import http.server, json, ssl
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {"uid": review["request"]["uid"], "allowed": False, "status": {"message": "the pod says no"}}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({**review, "response": answer}).encode())
server = http.server.HTTPServer(("", 8080), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/tls/tls.crt", "/tls/tls.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def test_the_api_server_calls_a_webhook_through_its_service(namespace: Lab) -> None:
    certificate, key = self_signed(f"gate.{NAMESPACE}.svc")
    data = {"tls.crt": certificate, "tls.key": key}
    encoded = {name: base64.b64encode(value).decode() for name, value in data.items()}
    namespace.kube.create(named("v1", "Secret", "gate", data=encoded, type="kubernetes.io/tls"))
    serve(namespace, "gate", WEBHOOK, {"port": 443}, volume={"name": "tls", "secret": {"secretName": "gate"}})
    hook = {
        "name": "gate.slipway.dev",
        "clientConfig": {"service": {"name": "gate", "namespace": NAMESPACE}, "caBundle": encoded["tls.crt"]},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}},
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
    }
    configuration = ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration")
    kind = {"apiVersion": configuration[0], "kind": configuration[1]}
    namespace.kube.create({**kind, "metadata": {"name": "gate"}, "webhooks": [hook]})
    try:
        with pytest.raises(KubeError, match="the pod says no"):
            created(namespace)
    finally:
        namespace.kube.delete(*configuration, "gate")


def created(lab: Lab) -> None:
    """Create an object; the API server learns of a new webhook some milliseconds after it took it in."""
    for number in range(100):
        lab.kube.create(named("v1", "ConfigMap", f"gated-{number}"))


def self_signed(host: str) -> tuple[bytes, bytes]:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now.replace(year=9999))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(*plain)


def test_what_is_claimed_outlives_the_pod_and_the_claim_is_bound(namespace: Lab, run: Run) -> None:
    wanted = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    namespace.kube.create(named("v1", "PersistentVolumeClaim", "disk", spec=wanted))
    pod: Object = {
        "volumes": [{"name": "disk", "persistentVolumeClaim": {"claimName": "disk"}}],
        "container": {"volumeMounts": [{"name": "disk", "mountPath": "/data"}]},
    }
    run("writes", "open('/data/kept', 'w').write('by the first')", **pod)
    assert run("reads", "print(open('/data/kept').read())", **pod) == "by the first\n"
    assert namespace.kube.get("v1", "PersistentVolumeClaim", "disk", NAMESPACE)["status"]["phase"] == "Bound"


def test_a_volume_may_hide_where_the_lab_itself_lies(namespace: Lab, run: Run) -> None:
    """The lab of this test lies below /tmp; so do the volumes, the home of the container, the file of names."""
    wide = f"/{namespace.paths.kubelet.parts[1]}"
    mounts = [{"name": "wide", "mountPath": wide}, {"name": "inner", "mountPath": f"{wide}/inner"}]
    volumes = [{"name": "wide", "emptyDir": {}}, {"name": "inner", "emptyDir": {}}]
    # Its home is made in the same volume before.
    first = {"name": "first", "image": "busybox:1", "command": ["true"], "volumeMounts": mounts}
    # No Python: the one that runs this test may lie there too.
    main = ["sh", "-c", f'touch {wide}/inner/x && ls {wide}/inner && test -d "$HOME" && echo home']
    container = {"command": main, "volumeMounts": mounts}
    assert run("hidden", "", volumes=volumes, initContainers=[first], container=container) == "x\nhome\n"
