"""Status of a pod, from the observations of its containers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway.lab.kubelet.plan import is_sidecar
from slipway.objects import Object


@dataclass(frozen=True)
class Waiting:
    """State of a container that does not run yet, or not now."""

    reason: str
    message: str = ""


@dataclass(frozen=True)
class Running:
    """State of a container whose process runs."""

    started_at: str


@dataclass(frozen=True)
class Terminated:
    """State of a container whose process ended."""

    exit_code: int
    reason: str
    started_at: str
    finished_at: str
    message: str = ""


State = Waiting | Running | Terminated


@dataclass(frozen=True)
class Observed:
    """Observation of one container.

    Args:
        last: The end of its previous run.
        ready: Whether it can be sent requests.
        started: Whether its startup probe, if any, has succeeded.
    """

    state: State
    last: Terminated | None = None
    restarts: int = 0
    ready: bool = False
    started: bool = False


#: Reason in the status of a pod that was ended to free memory.
EVICTED = "Evicted"


def evicted_before(pod: Object) -> str:
    """Return why an earlier run of the kubelet evicted a pod; empty if none did."""
    status = pod.get("status") or {}
    return str(status.get("message")) if status.get("reason") == EVICTED else ""


def restarts_after(exit_code: int, policy: str) -> bool:
    """Return whether a container is started again after it ended."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


#: First and longest wait of a container that keeps failing, in seconds. A kubelet's own are 10 and 300, or 1 and 60
#: with its feature gate ReduceDefaultCrashLoopBackOffDecay (KEP-4603), since a lab's user waits for it.
BACK_OFF, BACK_OFF_LIMIT = 1.0, 60.0
#: A run of this many seconds counts as healthy and resets the wait, as in a kubelet.
BACK_OFF_RESET = 600.0


def back_off(failures: int) -> float:
    """Return the seconds before a restart; the first one is immediate."""
    return min(BACK_OFF_LIMIT, BACK_OFF * 2.0 ** min(failures - 2, 30)) if failures > 1 else 0.0


def recover(name: str, pod: Object, now: str, *, init: bool) -> Observed:
    """Return the state of a container when the kubelet starts: no process runs, whatever the API's status.

    A container that had ended for good stays so; one that ran counts as lost and is started again according to the
    restart policy. Init containers prepare the pod's new volumes, so they run again.
    """
    status = pod.get("status") or {}
    listed = status.get("initContainerStatuses" if init else "containerStatuses") or ()
    before = next((item for item in listed if item["name"] == name), None)
    if before is None or not (before.get("containerID") or before.get("restartCount")):
        return Observed(Waiting("PodInitializing" if pod["spec"].get("initContainers") else "ContainerCreating"))
    policy = pod["spec"].get("restartPolicy", "Always")
    restarts = before["restartCount"]
    state = before["state"]
    ended = state.get("terminated") or {}
    last = Terminated(
        ended.get("exitCode", 137),
        ended.get("reason") or "ContainerStatusUnknown",
        ended.get("startedAt") or (state.get("running") or {}).get("startedAt") or now,
        ended.get("finishedAt") or now,
        ended.get("message") or ("" if ended else "The container was gone when the lab started again"),
    )
    if not init and not restarts_after(last.exit_code, policy):
        return Observed(last, restarts=restarts)
    return Observed(Waiting("PodInitializing"), last=last, restarts=restarts + 1)


def pod_status(
    pod: Object,
    init: Mapping[str, Observed],
    main: Mapping[str, Observed],
    *,
    address: str | None,
    host: str,
    now: str,
    started_at: str,
    evicted: str = "",
) -> Object:
    """Return the status for the API; conditions of other writers are kept.

    Args:
        address: Its address, while it has one.
        started_at: Time when the kubelet first saw the pod.
        evicted: Reason of its eviction; empty without one.
    """
    phase = "Failed" if evicted else phase_of(pod, init, main)
    before = {item["type"]: item for item in (pod.get("status") or {}).get("conditions") or ()}
    ours = {
        kind: _dated(kind, verdict, before.get(kind), now)
        for kind, verdict in _conditions(pod, init, main, address, phase, before).items()
    }
    status: Object = {
        "phase": phase,
        "hostIP": host,
        "hostIPs": [{"ip": host}],
        "startTime": (pod.get("status") or {}).get("startTime") or started_at,
        "conditions": [*ours.values(), *(item for kind, item in before.items() if kind not in ours)],
        "containerStatuses": _statuses(pod, pod["spec"]["containers"], main),
        "initContainerStatuses": _statuses(pod, pod["spec"].get("initContainers") or (), init),
    }
    if "generation" in pod["metadata"]:
        status["observedGeneration"] = pod["metadata"]["generation"]
    if evicted:
        status |= {"reason": EVICTED, "message": evicted}
    if address:
        status |= {"podIP": address, "podIPs": [{"ip": address}]}
    return status


def phase_of(pod: Object, init: Mapping[str, Observed], main: Mapping[str, Observed]) -> str:
    """Return the phase by the rules of a kubelet."""
    policy = pod["spec"].get("restartPolicy", "Always")
    ends = {name: seen.state for name, seen in main.items() if isinstance(seen.state, Terminated)}
    if any(_failed_for_good(seen.state, policy) for seen in init.values()):
        return "Failed"
    if main and len(ends) == len(main):
        if any(_failed_for_good(state, policy) for state in ends.values()):
            return "Failed"
        if policy != "Always" and all(state.exit_code == 0 for state in ends.values()):
            return "Succeeded"
    if _uninitialized(pod, init):
        return "Pending"
    begun = any(not isinstance(seen.state, Waiting) or seen.last is not None for seen in main.values())
    return "Running" if begun else "Pending"


def _failed_for_good(state: State, policy: str) -> bool:
    return isinstance(state, Terminated) and state.exit_code != 0 and not restarts_after(state.exit_code, policy)


def _uninitialized(pod: Object, init: Mapping[str, Observed]) -> list[str]:
    missing = []
    for container in pod["spec"].get("initContainers") or ():
        seen = init[container["name"]]
        done = isinstance(seen.state, Terminated) and seen.state.exit_code == 0
        if not (seen.started if is_sidecar(container) else done):
            missing.append(container["name"])
    return missing


#: A condition's status, reason and message.
_Verdict = tuple[bool, str, str]


def _conditions(
    pod: Object,
    init: Mapping[str, Observed],
    main: Mapping[str, Observed],
    address: str | None,
    phase: str,
    before: Mapping[str, Object],
) -> dict[str, _Verdict]:
    incomplete = _uninitialized(pod, init)
    unready = [name for name, seen in main.items() if not seen.ready]
    if phase == "Succeeded":
        ready: _Verdict = (False, "PodCompleted", "")
        incomplete = []
    elif unready:
        ready = (False, "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
    else:
        ready = (True, "", "")
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates") or ()]
    closed = [gate for gate in gates if (before.get(gate) or {}).get("status") != "True"]
    gated = ready[0] and bool(closed)
    return {
        "PodScheduled": (True, "", ""),
        "PodReadyToStartContainers": (address is not None and phase not in ("Succeeded", "Failed"), "", ""),
        "Initialized": (
            not incomplete,
            "ContainersNotInitialized" if incomplete else "",
            f"containers with incomplete status: [{' '.join(incomplete)}]" if incomplete else "",
        ),
        "ContainersReady": ready,
        "Ready": (False, "ReadinessGatesNotReady", f"waiting for {' '.join(closed)}") if gated else ready,
    }


def _dated(kind: str, verdict: _Verdict, before: Object | None, now: str) -> Object:
    holds, reason, message = verdict
    status = str(holds)
    since = before["lastTransitionTime"] if before and before["status"] == status else now
    condition = {"type": kind, "status": status, "lastTransitionTime": since}
    return {**condition, **({"reason": reason} if reason else {}), **({"message": message} if message else {})}


def _statuses(pod: Object, containers: Sequence[Object], observed: Mapping[str, Observed]) -> list[Object]:
    return [_container_status(pod, container, observed[container["name"]]) for container in containers]


def _container_status(pod: Object, container: Object, seen: Observed) -> Object:
    identity = f"process://{pod['metadata']['uid']}-{container['name']}-{seen.restarts}"
    status: Object = {
        "name": container["name"],
        "image": container["image"],
        "imageID": "",
        "restartCount": seen.restarts,
        "ready": seen.ready,
        "started": seen.started,
        "state": _state(seen.state, identity),
        "lastState": _state(seen.last, identity) if seen.last else {},
    }
    begun = not isinstance(seen.state, Waiting) or seen.last is not None
    return {**status, "containerID": identity} if begun else status


def _state(state: State, identity: str) -> Object:
    if isinstance(state, Waiting):
        return {"waiting": {"reason": state.reason, **({"message": state.message} if state.message else {})}}
    if isinstance(state, Running):
        return {"running": {"startedAt": state.started_at}}
    ended: Object = {
        "exitCode": state.exit_code,
        "reason": state.reason,
        "startedAt": state.started_at,
        "finishedAt": state.finished_at,
        "containerID": identity,
    }
    return {"terminated": {**ended, "message": state.message} if state.message else ended}
