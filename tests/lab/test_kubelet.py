"""The process kubelet against a real API server."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kubelet_stage import ACCESS_KEY, ENOUGH, SECRET_KEY, SHORT, Stage, kill_pod, processes, start

from slipway.lab import network
from slipway.tools import toolchain

Object = dict[str, Any]
FETCH = "import sys, urllib.request as u; sys.stdout.write(u.urlopen(sys.argv[1], timeout=5).read().decode())"
SHELL = "busybox:1"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    running = start(tmp_path_factory.mktemp("stage"))
    yield running
    assert running.process.stdin
    running.process.stdin.close()
    assert running.process.wait(30) == 0


@pytest.fixture
def run(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Callable[..., str]]:
    """Create a pod; it is removed after the test."""
    names: list[str] = []

    def create(name: str, container: Object, **spec: Any) -> str:
        body = {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": SHELL, **container}],
            **spec,
        }
        stage.kube.create(
            {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "default"}, "spec": body}
        )
        names.append(name)
        return name

    yield create
    for name in names:
        kill_pod(stage.kube, name, "default")


def script(text: str, **more: Any) -> Object:
    return {"command": ["/bin/sh", "-c", text], **more}


def wait(stage: Stage, name: str, holds: Callable[[Object], bool], timeout: float = 20) -> Object:
    return stage.kube.wait_for("v1", "Pod", name, "default", holds, timeout=timeout)


def condition(pod: Object, kind: str = "Ready") -> bool:
    found = {item["type"]: item["status"] for item in pod["status"].get("conditions") or ()}
    return found.get(kind) == "True"


def main_status(pod: Object) -> Object:
    statuses = pod["status"].get("containerStatuses") or [{"state": {}, "lastState": {}, "restartCount": 0}]
    return dict(statuses[0])


def ended(pod: Object) -> bool:
    return pod["status"]["phase"] in ("Succeeded", "Failed")


def waiting(pod: Object) -> Object:
    return dict(main_status(pod)["state"].get("waiting") or {})


def event(stage: Stage, name: str, reason: str) -> str:
    """The last message of a kind of event about a pod; it comes a moment after what it is about."""
    deadline = time.monotonic() + 10
    while True:
        found = [each for each in stage.kube.list("v1", "Event", "default") if each["involvedObject"]["name"] == name]
        messages = {each["reason"]: each["message"] for each in found}
        if reason in messages:
            return str(messages[reason])
        assert time.monotonic() < deadline, messages
        time.sleep(0.1)


def gone(stage: Stage, name: str, timeout: float = 10) -> float:
    """Wait until a pod is removed; return how long it took."""
    begin, pod = time.monotonic(), stage.kube.find("v1", "Pod", name, "default")
    if pod is not None:
        version, field = pod["metadata"]["resourceVersion"], f"metadata.name={name}"
        changes = stage.kube.watch(
            "v1", "Pod", "default", resource_version=version, timeout_seconds=timeout, field_selector=field
        )
        assert any(kind == "DELETED" for kind, _ in changes), f"{name} is still there"
    return time.monotonic() - begin


def test_pods_answer_at_addresses_of_their_own_on_the_same_port(stage: Stage, run: Callable[..., str]) -> None:
    server = {
        "command": [sys.executable, "-m", "http.server", "8080"],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }
    names = [run(f"web-{number}", server) for number in range(2)]
    addresses = [wait(stage, name, condition)["status"]["podIP"] for name in names]
    assert len(set(addresses)) == 2
    for address in addresses:
        answer = stage.inside(sys.executable, "-c", FETCH, f"http://{address}:8080/")
        assert "Directory listing" in answer.stdout, answer.stderr


def test_environment_comes_from_values_secrets_config_maps_and_the_pod(stage: Stage, run: Callable[..., str]) -> None:
    for kind, key in (("Secret", "stringData"), ("ConfigMap", "data")):
        meta = {"name": "source", "namespace": "default"}
        stage.kube.create({"apiVersion": "v1", "kind": kind, "metadata": meta, key: {"word": f"from {kind}"}})
    name = run(
        "environment",
        script(
            'echo "$S|$C|$N|$A|$E"; cat /etc/words/word',
            env=[
                {"name": "S", "valueFrom": {"secretKeyRef": {"name": "source", "key": "word"}}},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "source", "key": "word"}}},
                {"name": "N", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                {"name": "E", "value": "$(N)-$$(N)"},
            ],
            volumeMounts=[{"name": "words", "mountPath": "/etc/words"}],
        ),
        restartPolicy="Never",
        volumes=[{"name": "words", "configMap": {"name": "source"}}],
    )
    pod = wait(stage, name, ended)
    address = pod["status"]["podIP"]
    expected = f"from Secret|from ConfigMap|environment|{address}|environment-$(N)\nfrom ConfigMap"
    assert stage.log(name, "main") == expected
    assert pod["status"]["phase"] == "Succeeded"


def test_a_volume_is_private_to_its_pod_and_read_only_where_the_mount_says_so(
    stage: Stage, run: Callable[..., str]
) -> None:
    mount = {"name": "models", "mountPath": "/mnt/models"}
    for owner in ("first", "second"):
        init = {"name": "fetch", "image": SHELL, "volumeMounts": [mount], **script(f"echo {owner} > /mnt/models/owner")}
        server = script("cat /mnt/models/*; touch /mnt/models/x", volumeMounts=[{**mount, "readOnly": True}])
        volumes = [{"name": "models", "emptyDir": {}}]
        run(f"private-{owner}", server, initContainers=[init], volumes=volumes, restartPolicy="Never")
    for owner in ("first", "second"):
        pod = wait(stage, f"private-{owner}", ended)
        assert pod["status"]["phase"] == "Failed"
        message = main_status(pod)["state"]["terminated"]["message"]
        assert message.startswith(f"{owner}\n")
        assert "Read-only file system" in message
    assert not os.path.exists("/mnt/models")


def test_the_machine_is_read_only_for_a_container_but_for_its_home_and_scratch_space(
    stage: Stage, run: Callable[..., str]
) -> None:
    text = (
        "touch $HOME/x && touch $TMPDIR/y && echo > /dev/shm/slipway-$$ && rm /dev/shm/slipway-$$ && touch /slipway-x"
    )
    pod = wait(stage, run("reader", script(text), restartPolicy="Never"), ended)
    message = main_status(pod)["state"]["terminated"]["message"]
    assert message.splitlines() == ["touch: cannot touch '/slipway-x': Read-only file system"]


def test_an_image_that_the_table_does_not_know_is_named_and_nothing_hangs(
    stage: Stage, run: Callable[..., str]
) -> None:
    name = run("unknown", {"image": "nginx:1.29"})
    pod = wait(stage, name, lambda pod: bool(waiting(pod)))
    assert waiting(pod)["reason"] == "ErrImagePull"
    assert "'nginx:1.29' is not in the lab's image table" in waiting(pod)["message"]
    assert pod["status"]["phase"] == "Pending"
    stage.kube.delete("v1", "Pod", name, "default")
    assert gone(stage, name) < 2


def test_a_volume_kind_that_is_not_known_is_named(stage: Stage, run: Callable[..., str]) -> None:
    name = run("volume", script("true"), volumes=[{"name": "disk", "hostPath": {"path": "/"}}])
    pod = wait(stage, name, lambda pod: waiting(pod).get("reason") == "CreateContainerConfigError")
    assert "volume disk: hostPath" in waiting(pod)["message"]


def test_a_container_waits_for_a_secret_and_starts_when_it_is_there(stage: Stage, run: Callable[..., str]) -> None:
    source = {"name": "LATE", "valueFrom": {"secretKeyRef": {"name": "late", "key": "word"}}}
    name = run("late", script("echo $LATE", env=[source]), restartPolicy="Never")
    pod = wait(stage, name, lambda pod: waiting(pod).get("reason") == "CreateContainerConfigError")
    assert waiting(pod)["message"] == "secret 'late' not found"
    meta = {"name": "late", "namespace": "default"}
    stage.kube.create({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"word": "here"}})
    wait(stage, name, ended)
    assert stage.log(name, "main") == "here\n"


def test_a_container_that_keeps_failing_is_restarted_ever_more_slowly(stage: Stage, run: Callable[..., str]) -> None:
    name = run("failing", script("echo no model; exit 3"))
    pod = wait(stage, name, lambda pod: main_status(pod)["restartCount"] >= 2 and bool(waiting(pod)))
    status = main_status(pod)
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["lastState"]["terminated"]["exitCode"] == 3
    assert status["lastState"]["terminated"]["message"] == "no model"
    assert pod["status"]["phase"] == "Running"
    assert event(stage, name, "BackOff")
    assert event(stage, name, "ContainerDied") == "Container main ended with exit code 3: no model"


def test_a_command_that_does_not_exist_is_named(stage: Stage, run: Callable[..., str]) -> None:
    name = run("nothing", {"command": ["/no/such/command"]})
    pod = wait(stage, name, lambda pod: waiting(pod).get("reason") == "RunContainerError")
    assert waiting(pod)["message"] == "/no/such/command: command not found"


@pytest.mark.parametrize(
    ("policy", "code", "phase"), [("Never", 3, "Failed"), ("Never", 0, "Succeeded"), ("OnFailure", 0, "Succeeded")]
)
def test_a_pod_ends_as_its_restart_policy_says(
    stage: Stage, run: Callable[..., str], policy: str, code: int, phase: str
) -> None:
    name = run(f"end-{policy.lower()}-{code}", script(f"exit {code}"), restartPolicy=policy)
    pod = wait(stage, name, ended)
    assert pod["status"]["phase"] == phase
    assert main_status(pod)["state"]["terminated"]["exitCode"] == code
    assert main_status(pod)["restartCount"] == 0


def test_init_containers_run_in_order_before_the_others(stage: Stage, run: Callable[..., str]) -> None:
    mount = [{"name": "work", "mountPath": "/work/list"}]
    steps = [
        {"name": step, "image": SHELL, "volumeMounts": mount, **script(f"sleep 0.2; echo {step} >> /work/list/steps")}
        for step in ("one", "two")
    ]
    spec = {"initContainers": steps, "volumes": [{"name": "work", "emptyDir": {}}], "restartPolicy": "Never"}
    name = run("order", script("cat /work/list/steps", volumeMounts=mount), **spec)
    wait(stage, name, ended)
    assert stage.log(name, "main") == "one\ntwo\n"


def test_readiness_follows_its_probe(stage: Stage, run: Callable[..., str]) -> None:
    probe = {"exec": {"command": ["test", "-e", "/data/ready"]}, "periodSeconds": 1, "failureThreshold": 1}
    text = "sleep 2; touch /data/ready; sleep 2; rm /data/ready; sleep 60"
    mount = [{"name": "data", "mountPath": "/data"}]
    name = run(
        "readiness",
        script(text, readinessProbe=probe, volumeMounts=mount),
        volumes=[{"name": "data", "emptyDir": {}}],
    )
    wait(stage, name, lambda pod: "running" in main_status(pod)["state"] and not condition(pod))
    wait(stage, name, condition)
    pod = wait(stage, name, lambda pod: not condition(pod))
    assert main_status(pod)["restartCount"] == 0


def test_a_container_that_is_not_alive_is_restarted(stage: Stage, run: Callable[..., str]) -> None:
    probe = {"tcpSocket": {"port": 1}, "periodSeconds": 1, "failureThreshold": 2}
    name = run("liveness", script("exec sleep 60", livenessProbe=probe))
    pod = wait(stage, name, lambda pod: main_status(pod)["restartCount"] == 1)
    assert main_status(pod)["lastState"]["terminated"]["exitCode"] == 137


def test_a_startup_probe_holds_the_other_probes_back(stage: Stage, run: Callable[..., str]) -> None:
    probes = {
        "startupProbe": {"exec": {"command": ["test", "-e", "/data/up"]}, "periodSeconds": 1, "failureThreshold": 20},
        "livenessProbe": {"exec": {"command": ["test", "-e", "/data/up"]}, "periodSeconds": 1, "failureThreshold": 1},
    }
    mount = [{"name": "data", "mountPath": "/data"}]
    volumes = [{"name": "data", "emptyDir": {}}]
    name = run("startup", script("sleep 3; touch /data/up; sleep 60", volumeMounts=mount, **probes), volumes=volumes)
    wait(stage, name, lambda pod: "running" in main_status(pod)["state"] and not main_status(pod)["started"])
    pod = wait(stage, name, condition)
    assert main_status(pod)["restartCount"] == 0


def test_a_deleted_pod_is_asked_to_end_first(stage: Stage, run: Callable[..., str]) -> None:
    # Before its trap is set, process 1 of a container ignores the signal.
    probe = {"exec": {"command": ["/bin/sh", "-c", "test -e $HOME/up"]}, "periodSeconds": 1}
    text = "trap 'echo bye; exit 0' TERM; touch $HOME/up; while :; do sleep 0.1; done"
    name = run("polite", script(text, readinessProbe=probe), terminationGracePeriodSeconds=20)
    wait(stage, name, condition)
    stage.kube.delete("v1", "Pod", name, "default")
    assert gone(stage, name) < 5
    assert "bye" in stage.log(name, "main")


def test_a_deleted_pod_that_does_not_end_is_killed_after_its_grace(stage: Stage, run: Callable[..., str]) -> None:
    mark = f"86{os.getpid()}"
    name = run("stubborn", script(f"trap '' TERM; sleep {mark} & while :; do sleep 0.1; done"))
    wait(stage, name, condition)
    assert any(f"sleep {mark}" in line for _, line in processes())
    stage.kube.delete("v1", "Pod", name, "default")
    assert 0.5 < gone(stage, name) < 5
    assert not any(f"sleep {mark}" in line for _, line in processes())


def test_a_pre_stop_hook_runs_before_the_end(stage: Stage, run: Callable[..., str]) -> None:
    hook = {"preStop": {"exec": {"command": ["/bin/sh", "-c", "echo hook > /proc/1/fd/1"]}}}
    name = run("hook", script("exec sleep 60", lifecycle=hook))
    wait(stage, name, condition)
    stage.kube.delete("v1", "Pod", name, "default")
    gone(stage, name)
    assert stage.log(name, "main") == "hook\n"


def test_a_sidecar_runs_beside_the_containers_and_ends_after_them(stage: Stage, run: Callable[..., str]) -> None:
    sidecar = {"name": "side", "image": SHELL, "restartPolicy": "Always", **script("exec sleep 60")}
    name = run("sidecar", script("exit 0"), initContainers=[sidecar], restartPolicy="Never")
    assert wait(stage, name, ended)["status"]["phase"] == "Succeeded"


def test_killing_the_kubelet_leaves_no_process_and_the_next_one_brings_the_pods_back(
    stage: Stage, run: Callable[..., str]
) -> None:
    mark = f"87{os.getpid()}"
    probe = {"exec": {"command": ["/bin/sh", "-c", "test -e $HOME/up"]}, "periodSeconds": 1}
    text = f"sleep {mark} & touch $HOME/up; exec sleep {mark}"
    name = run("survivor", script(text, readinessProbe=probe))
    before = wait(stage, name, condition)
    handles = [os.pidfd_open(pid) for pid, line in processes() if f"sleep {mark}" in line]
    assert len(handles) >= 2
    os.kill(stage.kubelet(), signal.SIGKILL)
    for handle in handles:
        assert select.select([handle], [], [], 5)[0], "a process outlived the kubelet"
        os.close(handle)
    after = wait(stage, name, lambda pod: main_status(pod)["restartCount"] == 1 and condition(pod))
    assert after["status"]["podIP"] == before["status"]["podIP"]
    assert main_status(after)["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"


def python(code: str, limit: str) -> Object:
    return {"command": [sys.executable, "-c", code], "resources": {"limits": {"memory": limit}}}


def test_a_container_above_its_memory_limit_is_killed_and_the_status_says_so(
    stage: Stage, run: Callable[..., str]
) -> None:
    code = "import time; print('loading', flush=True); held = bytearray(256 << 20); time.sleep(60)"
    name = run("greedy", python(code, "100Mi"))
    pod = wait(stage, name, lambda pod: main_status(pod)["restartCount"] >= 1)
    ended = main_status(pod)["lastState"]["terminated"]
    assert (ended["reason"], ended["exitCode"]) == ("OOMKilled", 137)
    said, printed = ended["message"].splitlines()
    # It may be seen on its way to the 256 MiB.
    used = re.fullmatch(r"out of memory: (\d+)Mi used, limit 100Mi", said)
    assert used is not None
    assert 100 < int(used[1]) < 400
    assert printed == "loading"
    assert said in event(stage, name, "OOMKilled")


def test_memory_that_processes_share_counts_once(stage: Stage, run: Callable[..., str]) -> None:
    code = """
import os, time
held = bytearray(os.urandom(1)) * (100 << 20)
for _ in range(3):
    if os.fork() == 0:
        break
time.sleep(2)
"""
    pod = wait(stage, run("sharing", python(code, "200Mi"), restartPolicy="Never"), ended)
    assert pod["status"]["phase"] == "Succeeded", main_status(pod)


def test_a_node_short_of_memory_evicts_the_greediest_pod_and_takes_none_in_until_it_has_enough(
    stage: Stage, run: Callable[..., str]
) -> None:
    modest = run("modest", {**script("exec sleep 60"), "resources": {"requests": {"memory": "1Gi"}}})
    greedy = run("hungry", script(f"exec {sys.executable} -c 'import time; time.sleep(60)'"))
    for name in (modest, greedy):
        wait(stage, name, condition)
    node = ("v1", "Node", "slipway-lab", None)
    stage.memory(SHORT)
    try:
        evicted = wait(stage, greedy, ended)
        stage.kube.wait_for(*node, lambda node: condition(node, "MemoryPressure"), timeout=10)
        late = run("late", script("exec sleep 60"))
        assert event(stage, late, "FailedScheduling")
    finally:
        stage.memory(ENOUGH)
    assert evicted["status"]["reason"] == "Evicted"
    assert evicted["status"]["message"].startswith("The node was low on resource: memory. Threshold quantity: 100Mi")
    assert event(stage, greedy, "Evicted") == evicted["status"]["message"]
    wait(stage, late, condition, timeout=30)
    assert not condition(stage.kube.get(*node[:3]), "MemoryPressure")


def test_a_deployment_gets_its_pods_and_a_service_their_addresses(stage: Stage) -> None:
    labels = {"app": "many"}
    container = {"name": "main", "image": SHELL, **script("exec sleep 60")}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 0}}
    meta = {"name": "many", "namespace": "default"}
    stage.kube.create(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {"replicas": 8, "selector": {"matchLabels": labels}, "template": template},
        }
    )
    ports = [{"port": 80, "targetPort": 8080}]
    spec = {"clusterIP": "None", "selector": labels, "ports": ports}
    stage.kube.create({"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec})
    stage.kube.wait_for(
        "apps/v1", "Deployment", "many", "default", lambda d: d["status"].get("readyReplicas") == 8, timeout=30
    )

    def complete(piece: Object) -> bool:
        return len([one for one in piece.get("endpoints") or () if one["conditions"]["ready"]]) == 8

    slices = stage.kube.list("discovery.k8s.io/v1", "EndpointSlice", "default", "kubernetes.io/service-name=many")
    name = slices[0]["metadata"]["name"]
    stage.kube.wait_for("discovery.k8s.io/v1", "EndpointSlice", name, "default", complete, timeout=10)
    stage.kube.delete("apps/v1", "Deployment", "many", "default")
    stage.kube.delete("v1", "Service", "many", "default")


UPLOAD = """
import os, sys, boto3
directory, endpoint, access, secret = sys.argv[1:]
s3 = boto3.client("s3", endpoint_url=endpoint, aws_access_key_id=access, aws_secret_access_key=secret,
                  region_name="us-east-1")
s3.create_bucket(Bucket="models")
for base, _, files in os.walk(directory):
    for file in files:
        path = os.path.join(base, file)
        s3.upload_file(path, "models", "churn/sha256-0/" + os.path.relpath(path, directory))
"""
SAVE = """
import json, sys, mlflow
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import RidgeClassifier

data, target = load_breast_cancer(return_X_y=True, as_frame=True)
model = RidgeClassifier().fit(data, target)
signature = mlflow.models.infer_signature(data, model.predict(data))
mlflow.sklearn.save_model(model, sys.argv[1], signature=signature, pip_requirements=["scikit-learn"])
example = data.iloc[[0, 19, 100]]
print(json.dumps([model.predict(example).tolist(), list(data.columns), example.to_numpy().tolist()]))
"""
PREDICT = """
import sys, urllib.request as u
request = u.Request(sys.argv[1], sys.argv[2].encode(), {"Content-Type": "application/json"})
sys.stdout.write(u.urlopen(request, timeout=10).read().decode())
"""


def test_a_model_comes_from_s3_through_the_storage_initializer_and_answers_as_it_does_in_python(
    stage: Stage, run: Callable[..., str], tmp_path: Path
) -> None:
    environment = {"PATH": os.defpath, "MLFLOW_DISABLE_TELEMETRY": "true"}
    saved = subprocess.run(
        [toolchain.venv("mlserver") / "bin" / "python", "-c", SAVE, tmp_path / "model"],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert saved.returncode == 0, saved.stderr
    expected, columns, rows = json.loads(saved.stdout)
    endpoint = f"http://{network.ADDRESS}:{network.S3_PORT}"
    done = stage.inside(sys.executable, "-c", UPLOAD, str(tmp_path / "model"), endpoint, ACCESS_KEY, SECRET_KEY)
    assert done.returncode == 0, done.stderr
    storage = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_ENDPOINT_URL": endpoint}
    server = {
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_mlflow.MLflowRuntime",
        "MLSERVER_HTTP_PORT": "8080",
        "MLSERVER_GRPC_PORT": "9000",
        "MLSERVER_MODEL_NAME": "churn",
        "MLSERVER_MODEL_URI": "/mnt/models",
    }
    mount = {"name": "kserve-provision-location", "mountPath": "/mnt/models"}
    begin = time.monotonic()
    name = run(
        "churn",
        {
            "image": "slipway.dev/mlserver:1.7.1-mlflow3.17.2",
            "env": [{"name": key, "value": value} for key, value in server.items()],
            "volumeMounts": [{**mount, "readOnly": True}],
            "readinessProbe": {"httpGet": {"path": "/v2/models/churn/ready", "port": 8080}, "periodSeconds": 1},
        },
        initContainers=[
            {
                "name": "storage-initializer",
                "image": "kserve/storage-initializer:v0.20.0",
                "args": ["s3://models/churn/sha256-0", "/mnt/models"],
                "env": [{"name": key, "value": value} for key, value in storage.items()],
                "volumeMounts": [mount],
            }
        ],
        volumes=[{"name": "kserve-provision-location", "emptyDir": {}}],
    )
    address = wait(stage, name, condition, timeout=60)["status"]["podIP"]
    print(f"ready after {time.monotonic() - begin:.1f} s")
    assert "GET /v2" not in stage.log(name, "main"), "its probes drown what the server says"
    inputs = [
        {"name": column, "shape": [len(rows), 1], "datatype": "FP64", "data": [row[index] for row in rows]}
        for index, column in enumerate(columns)
    ]
    body = json.dumps({"parameters": {"content_type": "pd"}, "inputs": inputs})
    answer = stage.inside(sys.executable, "-c", PREDICT, f"http://{address}:8080/v2/models/churn/infer", body)
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["outputs"][0]["data"] == expected


def test_an_artifact_that_is_not_there_is_named_in_the_status(stage: Stage, run: Callable[..., str]) -> None:
    endpoint = f"http://{network.ADDRESS}:{network.S3_PORT}"
    storage = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_ENDPOINT_URL": endpoint}
    init = {
        "name": "storage-initializer",
        "image": "kserve/storage-initializer:v0.20.0",
        "args": ["s3://no-such-bucket/churn", "/mnt/models"],
        "env": [{"name": key, "value": value} for key, value in storage.items()],
        "volumeMounts": [{"name": "models", "mountPath": "/mnt/models"}],
    }
    volumes = [{"name": "models", "emptyDir": {}}]
    name = run("absent", script("true"), initContainers=[init], volumes=volumes, restartPolicy="Never")
    pod = wait(stage, name, ended)
    assert pod["status"]["phase"] == "Failed"
    assert "no-such-bucket" in pod["status"]["initContainerStatuses"][0]["state"]["terminated"]["message"]
