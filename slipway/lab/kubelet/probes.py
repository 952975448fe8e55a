"""Probes of containers: actions, timing and verdicts."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from slipway.lab.kubelet.refusal import unsupported
from slipway.objects import Object

#: Runs a command inside the container: (argv, timeout) -> (exit code, output).
Execute = Callable[[Sequence[str], float], Awaitable[tuple[int, str]]]


@dataclass(frozen=True)
class Action:
    """Action of a probe or a hook; `kind` determines which fields are used."""

    kind: str
    port: int = 0
    host: str = ""
    path: str = "/"
    tls: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    command: tuple[str, ...] = ()
    seconds: int = 0


@dataclass(frozen=True)
class Probe:
    """Probe with its timing in seconds; the defaults are those of the Kubernetes API."""

    action: Action
    initial_delay: float = 0
    period: float = 10
    timeout: float = 1
    successes: int = 1
    failures: int = 3
    grace: float | None = None


@dataclass(frozen=True)
class Tally:
    """Count of equal results in a row."""

    ok: bool | None = None
    count: int = field(default=0)

    def add(self, ok: bool) -> Tally:
        """Return the tally with one more result."""
        return replace(self, count=self.count + 1) if ok is self.ok else Tally(ok, 1)

    def verdict(self, probe: Probe) -> bool | None:
        """Return the verdict of the results; None as long as there are too few."""
        enough = probe.successes if self.ok else probe.failures
        return self.ok if self.ok is not None and self.count >= enough else None


def parse_probe(spec: Object, container: Object) -> Probe:
    """Read a probe.

    Raises:
        Refusal: It is a gRPC probe, or names a port that the container does not declare.
    """
    return Probe(
        action=parse_action(spec, container),
        initial_delay=spec.get("initialDelaySeconds") or 0,
        period=spec.get("periodSeconds") or 10,
        timeout=spec.get("timeoutSeconds") or 1,
        successes=spec.get("successThreshold") or 1,
        failures=spec.get("failureThreshold") or 3,
        grace=spec.get("terminationGracePeriodSeconds"),
    )


def parse_action(spec: Object, container: Object) -> Action:
    """Read the action of a probe or a preStop hook; errors as `parse_probe`."""
    if http := spec.get("httpGet"):
        return Action(
            "http",
            port=_port(http["port"], container),
            host=http.get("host") or "",
            path="/" + (http.get("path") or "/").lstrip("/"),
            tls=http.get("scheme") == "HTTPS",
            headers=tuple((header["name"], header["value"]) for header in http.get("httpHeaders") or ()),
        )
    if tcp := spec.get("tcpSocket"):
        return Action("tcp", port=_port(tcp["port"], container), host=tcp.get("host") or "")
    if command := spec.get("exec"):
        return Action("exec", command=tuple(command.get("command") or ()))
    if sleep := spec.get("sleep"):
        return Action("sleep", seconds=int(sleep["seconds"]))
    raise unsupported(f"container {container['name']}: a grpc probe; use httpGet, tcpSocket or exec")


def _port(port: int | str, container: Object) -> int:
    if isinstance(port, int):
        return port
    for declared in container.get("ports") or ():
        if declared.get("name") == port:
            return int(declared["containerPort"])
    if port.isdigit():
        return int(port)
    raise unsupported(f"container {container['name']}: a probe of port {port!r}, which it does not declare")


async def ask(action: Action, timeout: float, address: str, execute: Execute) -> tuple[bool, str]:
    """Run a probe once; return whether it succeeded, with the reason if it failed."""
    try:
        if action.kind == "exec":
            code, output = await execute(action.command, timeout)
            return code == 0, f"command exited with {code}: {output.strip()[-200:]}"
        if action.kind == "sleep":
            await asyncio.sleep(action.seconds)
            return True, ""
        host = action.host or address
        async with asyncio.timeout(timeout):
            if action.kind == "tcp":
                _, writer = await asyncio.open_connection(host, action.port)
                await _close(writer)
                return True, ""
            status = await _http_status(action, host)
            return 200 <= status < 400, f"HTTP probe failed with statuscode: {status}"
    except TimeoutError:
        return False, f"no answer within {timeout:g} s"
    except (OSError, ValueError, IndexError) as error:
        return False, str(error)


async def _http_status(action: Action, host: str) -> int:
    context = None
    if action.tls:
        # As in a kubelet: probes do not verify certificates.
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, action.port, ssl=context)
    headers = {"host": f"{host}:{action.port}", "user-agent": "kube-probe/slipway", "accept": "*/*"}
    headers |= {name.lower(): value for name, value in action.headers}
    lines = [f"GET {action.path} HTTP/1.1", *(f"{key}: {value}" for key, value in headers.items()), "connection: close"]
    try:
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        await writer.drain()
        line = await reader.readline()
        if not line.startswith(b"HTTP/"):
            raise ValueError("the answer is not HTTP")
        return int(line.split()[1])
    finally:
        await _close(writer)


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
