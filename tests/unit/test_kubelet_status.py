"""A pod's status from what was observed; restarts; probes; addresses; logs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from slipway.lab.kubelet import logs
from slipway.lab.kubelet.network import Addresses, interface_name
from slipway.lab.kubelet.probes import Action, Probe, Tally, ask, parse_probe
from slipway.lab.kubelet.status import (
    Observed,
    Running,
    State,
    Terminated,
    Waiting,
    back_off,
    evicted_before,
    pod_status,
    recover,
    restarts_after,
)

Object = dict[str, Any]
EARLIER, NOW = "2026-11-21T10:00:00Z", "2026-11-21T10:00:05Z"
UP = Observed(Running(EARLIER), ready=True, started=True)
IDLE = Observed(Waiting("PodInitializing"))


def ended(code: int) -> Terminated:
    return Terminated(code, "Completed" if code == 0 else "Error", EARLIER, NOW)


def pod(policy: str = "Always", init: Sequence[Object] = (), **more: Any) -> Object:
    spec = {"restartPolicy": policy, "containers": [{"name": "main", "image": "busybox"}], "initContainers": list(init)}
    return {"metadata": {"name": "p", "uid": "u", "generation": 1}, "spec": {**spec, **more}}


def status(
    whole: Object, main: Observed, init: dict[str, Observed] | None = None, address: str = "10.244.1.1"
) -> Object:
    return pod_status(
        whole, init or {}, {"main": main}, address=address, host="10.244.0.1", now=NOW, started_at=EARLIER
    )


def conditions(found: Object) -> dict[str, str]:
    return {item["type"]: item["status"] for item in found["conditions"]}


INIT = ({"name": "fetch", "image": "busybox"},)
SIDECAR = ({"name": "fetch", "image": "busybox", "restartPolicy": "Always"},)


@pytest.mark.parametrize(
    ("policy", "state", "last", "phase"),
    [
        ("Always", Waiting("ContainerCreating"), None, "Pending"),
        ("Always", Running(EARLIER), None, "Running"),
        ("Always", Waiting("CrashLoopBackOff"), ended(1), "Running"),
        ("Always", ended(0), None, "Running"),
        ("OnFailure", ended(1), None, "Running"),
        ("OnFailure", ended(0), None, "Succeeded"),
        ("Never", ended(0), None, "Succeeded"),
        ("Never", ended(1), None, "Failed"),
    ],
)
def test_the_phase_follows_the_containers_and_the_restart_policy(
    policy: str, state: State, last: Terminated | None, phase: str
) -> None:
    assert status(pod(policy), Observed(state, last=last))["phase"] == phase


@pytest.mark.parametrize(
    ("policy", "init", "state", "phase", "initialized"),
    [
        ("Always", INIT, Observed(Running(EARLIER)), "Pending", "False"),
        ("Always", INIT, Observed(ended(0)), "Running", "True"),
        ("Always", INIT, Observed(ended(1)), "Pending", "False"),
        ("Never", INIT, Observed(ended(1)), "Failed", "False"),
        ("Always", SIDECAR, Observed(Running(EARLIER)), "Pending", "False"),
        ("Always", SIDECAR, Observed(Running(EARLIER), started=True), "Running", "True"),
    ],
)
def test_a_pod_is_initialized_when_its_init_containers_have_succeeded_or_its_sidecars_started(
    policy: str, init: Sequence[Object], state: Observed, phase: str, initialized: str
) -> None:
    main = UP if phase == "Running" else IDLE
    found = status(pod(policy, init), main, {"fetch": state})
    assert (found["phase"], conditions(found)["Initialized"]) == (phase, initialized)


def test_a_pod_is_ready_when_all_its_containers_are() -> None:
    found = conditions(status(pod(), UP))
    assert {found[kind] for kind in ("Ready", "ContainersReady", "PodScheduled", "PodReadyToStartContainers")} == {
        "True"
    }
    unready = status(pod(), Observed(Running(EARLIER), started=True))
    (ready,) = [item for item in unready["conditions"] if item["type"] == "Ready"]
    assert (ready["status"], ready["reason"]) == ("False", "ContainersNotReady")
    assert ready["message"] == "containers with unready status: [main]"


def test_a_readiness_gate_holds_back_ready_but_not_containers_ready() -> None:
    whole = pod(readinessGates=[{"conditionType": "example.com/gate"}])
    found = conditions(status(whole, UP))
    assert (found["ContainersReady"], found["Ready"]) == ("True", "False")
    whole["status"] = {"conditions": [{"type": "example.com/gate", "status": "True"}]}
    found = conditions(status(whole, UP))
    assert (found["example.com/gate"], found["Ready"]) == ("True", "True")


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    whole = pod()
    whole["status"] = status(whole, IDLE)
    for condition in whole["status"]["conditions"]:
        condition["lastTransitionTime"] = EARLIER
    times = {item["type"]: item["lastTransitionTime"] for item in status(whole, UP)["conditions"]}
    assert (times["PodScheduled"], times["Ready"]) == (EARLIER, NOW)


def test_a_container_status_shows_its_run_and_the_one_before() -> None:
    (found,) = status(pod(), Observed(Running(NOW), last=ended(3), restarts=2))["containerStatuses"]
    assert found["state"] == {"running": {"startedAt": NOW}}
    assert found["lastState"]["terminated"]["exitCode"] == 3
    assert (found["restartCount"], found["ready"], found["containerID"]) == (2, False, "process://u-main-2")


def test_a_pod_without_an_address_does_not_claim_one() -> None:
    assert "podIP" not in status(pod(), IDLE, address="")


@pytest.mark.parametrize(
    ("policy", "code", "again"),
    [("Always", 0, True), ("OnFailure", 1, True), ("OnFailure", 0, False), ("Never", 1, False)],
)
def test_the_restart_policy_decides_over_restarts(policy: str, code: int, again: bool) -> None:
    assert restarts_after(code, policy) is again


def test_the_wait_before_a_restart_doubles_up_to_a_limit() -> None:
    assert [back_off(failures) for failures in (1, 2, 3, 4, 8, 200)] == [0, 1, 2, 4, 60, 60]


def with_status(policy: str, state: Object, restarts: int = 0, **more: Any) -> Object:
    listed = {"name": "main", "restartCount": restarts, "state": state, "containerID": "process://x"}
    return {**pod(policy, **more), "status": {"containerStatuses": [listed], "initContainerStatuses": [listed]}}


def test_a_container_that_ran_when_the_kubelet_ended_is_lost_and_started_again() -> None:
    found = recover("main", with_status("Always", {"running": {"startedAt": EARLIER}}, 4), NOW, init=False)
    assert isinstance(found.state, Waiting)
    assert found.restarts == 5
    assert found.last
    assert (found.last.exit_code, found.last.reason, found.last.started_at) == (137, "ContainerStatusUnknown", EARLIER)
    assert not found.ready


@pytest.mark.parametrize(
    ("policy", "state", "code"),
    [
        ("Never", {"running": {"startedAt": EARLIER}}, 137),
        ("OnFailure", {"terminated": {"exitCode": 0, "reason": "Completed"}}, 0),
    ],
)
def test_a_container_that_must_not_run_again_stays_ended(policy: str, state: Object, code: int) -> None:
    found = recover("main", with_status(policy, state), NOW, init=False)
    assert isinstance(found.state, Terminated)
    assert found.state.exit_code == code


def test_an_init_container_prepares_the_new_volumes_again() -> None:
    found = recover("main", with_status("OnFailure", {"terminated": {"exitCode": 0}}), NOW, init=True)
    assert isinstance(found.state, Waiting)


def test_a_new_pod_has_nothing_to_recover() -> None:
    assert recover("main", pod(), NOW, init=False) == Observed(Waiting("ContainerCreating"))


def test_a_probe_has_the_defaults_of_the_api_and_finds_a_port_by_name() -> None:
    container = {"name": "main", "ports": [{"name": "http", "containerPort": 8080}]}
    found = parse_probe({"httpGet": {"path": "ready", "port": "http"}}, container)
    assert found == Probe(Action("http", port=8080, path="/ready"))
    assert (found.period, found.timeout, found.successes, found.failures) == (10, 1, 1, 3)


def test_a_verdict_needs_enough_equal_answers_in_a_row() -> None:
    probe, tally, verdicts = Probe(Action("tcp"), successes=2, failures=3), Tally(), []
    for ok in (True, True, False, False, True, False, False, False):
        tally = tally.add(ok)
        verdicts.append(tally.verdict(probe))
    assert verdicts == [None, True, None, None, None, None, None, False]


async def no_command(argv: Sequence[str], timeout: float) -> tuple[int, str]:
    raise AssertionError("not an exec probe")


def asked(answer: bytes, action: Action | None = None) -> tuple[bool, str, bytes]:
    """Ask a server on loopback that answers so; return the result and what it was asked."""
    heard = b""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async def run() -> tuple[bool, str]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            wanted = action or Action("http", port=port, path="/v2/health/ready", headers=(("X-Probe", "1"),))
            return await ask(wanted, 2, "127.0.0.1", no_command)

    ok, message = asyncio.run(run())
    return ok, message, heard


@pytest.mark.parametrize(
    ("answer", "ok", "message"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", True, None),
        (b"HTTP/1.1 302 Found\r\n\r\n", True, None),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False, "HTTP probe failed with statuscode: 503"),
        (b"hello\r\n", False, "the answer is not HTTP"),
        (b"", False, "the answer is not HTTP"),
    ],
)
def test_an_http_probe_takes_success_and_redirection_as_good(answer: bytes, ok: bool, message: str | None) -> None:
    good, why, heard = asked(answer)
    assert good is ok
    assert message is None or why == message
    assert heard.startswith(b"GET /v2/health/ready HTTP/1.1\r\n")
    assert b"x-probe: 1\r\n" in heard


def test_a_probe_of_a_closed_port_says_so() -> None:
    ok, message = asyncio.run(ask(Action("tcp", port=1), 2, "127.0.0.1", no_command))
    assert not ok
    assert "127.0.0.1" in message


def test_an_exec_probe_is_good_when_its_command_is() -> None:
    async def failing(argv: Sequence[str], timeout: float) -> tuple[int, str]:
        return len(argv), f"ran {argv[0]}\n"

    assert asyncio.run(ask(Action("exec", command=("check",)), 2, "", failing)) == (
        False,
        "command exited with 1: ran check",
    )


def test_an_address_is_given_once_until_it_is_given_back_and_a_pod_keeps_its_own() -> None:
    addresses = Addresses("10.244.255.252")
    assert addresses.take("10.244.255.253") == "10.244.255.253"
    assert [addresses.take(), addresses.take()] == ["10.244.255.252", "10.244.255.254"]
    with pytest.raises(OSError, match="no pod address is free"):
        addresses.take("10.244.255.253")
    addresses.give_back("10.244.255.252")
    assert addresses.take("10.244.0.1") == "10.244.255.252"


def test_the_name_of_a_link_fits_the_kernel_and_tells_pods_apart() -> None:
    names = {interface_name(uid) for uid in ("a", "b")}
    assert len(names) == 2
    assert all(len(name) <= 15 for name in names)


def test_a_log_is_cut_at_its_limit_while_its_writer_goes_on(tmp_path: Path) -> None:
    directory = logs.log_directory(tmp_path, {"metadata": {"namespace": "models", "name": "churn"}})
    with logs.open_log(directory, "main") as writer:
        writer.write(b"old\n" * 10)
        writer.flush()
        logs.rotate(tmp_path, limit=30)
        writer.write(b"new\n")
    assert (tmp_path / "pods/models_churn/main.log").read_bytes() == b"new\n"
    assert (tmp_path / "pods/models_churn/main.log.1").read_bytes() == b"old\n" * 10


def test_logs_of_pods_that_are_gone_are_kept_up_to_a_number(tmp_path: Path) -> None:
    for age, name in enumerate(("newest", "living", "older", "oldest")):
        (tmp_path / "pods" / name).mkdir(parents=True)
        os.utime(tmp_path / "pods" / name, (1000 - age, 1000 - age))
    logs.prune(tmp_path, {"living"}, kept=2)
    assert {path.name for path in (tmp_path / "pods").iterdir()} == {"living", "newest"}


def test_a_termination_message_is_the_end_of_this_runs_log(tmp_path: Path) -> None:
    log = tmp_path / "main.log"
    log.write_text("run 1\nrun 2: " + "x" * 3000 + "\nlast words\n")
    assert logs.tail(log, 0).endswith("last words")
    assert len(logs.tail(log, 0)) <= logs.MESSAGE_BYTES
    log.write_text("run 1\nrun 2\n")
    assert logs.tail(log, 6) == "run 2"
    assert logs.tail(tmp_path / "none.log", 0) == ""


def test_an_evicted_pod_has_failed_for_good_whatever_its_restart_policy() -> None:
    found = pod_status(
        pod(), {}, {"main": UP}, address=None, host="10.244.0.1", now=NOW, started_at=EARLIER, evicted="low on memory"
    )
    assert (found["phase"], found["reason"], found["message"]) == ("Failed", "Evicted", "low on memory")
    assert evicted_before({"status": found}) == "low on memory"
    assert evicted_before(pod()) == ""
