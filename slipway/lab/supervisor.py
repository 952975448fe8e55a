"""Supervisor of the lab, its outermost process: opens sockets on the host, enters namespaces and watches process 1.

`slipway lab up` starts it as `python -m slipway.lab.supervisor`, with a JSON document on stdin; it reports in JSON
lines through an inherited pipe.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from slipway.errors import ExitCode, SlipwayError
from slipway.lab import control_plane, inside, namespace, network, pki, scraping, state
from slipway.lab.kubelet.images import standard_images
from slipway.lab.kubelet.platform_images import platform_images
from slipway.lab.paths import Paths, private_directory, write_private
from slipway.tools import toolchain


def main() -> None:
    """Detach from the terminal, then supervise."""
    request = json.load(sys.stdin)
    if os.fork():
        # The command has waited for this process only: the child has no parent.
        os._exit(0)
    os.setsid()
    os.umask(0o077)
    paths = Paths(Path(request["project"]))
    # No component may inherit it: its end is the end of the lab for the waiting command.
    os.set_inheritable(request["events"], False)
    events = os.fdopen(request["events"], "w", buffering=1)

    def tell(event: Mapping[str, Any]) -> None:
        # The waiting command may be gone; the log has everything.
        with contextlib.suppress(OSError):
            events.write(json.dumps(event) + "\n")

    try:
        lock = state.lock(paths)
        _detach(paths)
        code = _supervise(paths, request, tell)
    except Exception as error:
        _report(error, paths, tell)
        code = 1
    else:
        os.close(lock)
    os._exit(code)


def _supervise(paths: Paths, request: Mapping[str, Any], tell: inside.Tell) -> int:
    """Prepare the files, fork process 1 and wait for its end; return the exit code."""
    facts = state.load(paths) or state.new()
    listeners = state.listen(facts.ports)
    ports = {name: listener.getsockname()[1] for name, listener in listeners.items()}
    facts = replace(facts, ports=ports, supervisor=os.getpid(), started=state.start_time(os.getpid()) or 0)
    state.save(paths, facts)
    _write_files(paths, facts, request["venvs"])
    tell({"supervisor": os.getpid()})
    layout = control_plane.Layout(paths, request["binaries"], facts.access_key, facts.secret_key)
    data = {name: Path(place) for name, place in request["data"].items()}

    namespace.unshare()
    lifeline, held = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(held)
        _process_one(lifeline, layout, data, listeners, tell)
    os.close(lifeline)
    for listener in listeners.values():
        listener.close()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: os.kill(child, signal.SIGTERM))
    # Process 1 becomes waitable only when its namespace is empty.
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    print(f"supervisor: process 1 ended with {code}", flush=True)
    state.save(paths, replace(facts, supervisor=0, started=0))
    if code < 0:
        tell({"error": f"lab: process 1 was killed by signal {-code}", "exit_code": int(ExitCode.MACHINE), "log": []})
    return 0 if code == 0 else 1


def _process_one(
    lifeline: int, layout: control_plane.Layout, data: Mapping[str, Path], listeners: Any, tell: inside.Tell
) -> NoReturn:
    code = 1
    try:
        namespace.become_init(lifeline)
        code = inside.main(layout, data, listeners, tell)
    except BaseException as error:
        _report(error, layout.paths, tell)
    finally:
        sys.stdout.flush()
        os._exit(code)


def _report(error: BaseException, paths: Paths, tell: inside.Tell) -> None:
    """Tell the waiting command about an error; a defect's traceback goes to the log."""
    if not isinstance(error, SlipwayError):
        traceback.print_exc()
        text = f"lab: {type(error).__name__}: {str(error) or 'no message'}; see {paths.log('supervisor')}"
        error = SlipwayError(text.replace("\n", " "), ExitCode.MACHINE)
    tell({"error": str(error), "exit_code": int(error.exit_code), "log": []})


def _write_files(paths: Paths, facts: state.Facts, venvs: Mapping[str, str]) -> None:
    """Write the files of components and users: certificates, kubeconfigs and tables."""
    pki.ensure(paths.pki)
    write_private(paths.kubeconfig, pki.kubeconfig(paths.pki, "admin", facts.url("api"), "models"))
    for identity in pki.IDENTITIES:
        write_private(paths.inside_kubeconfig(identity), pki.kubeconfig(paths.pki, identity, network.API))
    certificates = control_plane.webhook_home(paths) / "k8s-webhook-server" / "serving-certs"
    private_directory(certificates)
    for ending in ("crt", "key"):
        write_private(certificates / f"tls.{ending}", (paths.pki / f"webhook.{ending}").read_bytes())
    scraped = scraping.configuration(paths.inside_kubeconfig("controllers"))
    write_private(paths.scrape_configuration, json.dumps(scraped, indent=1) + "\n")
    images = standard_images(Path(venvs["mlserver"]), Path(venvs["kserve-storage"]))
    images |= platform_images(toolchain.place)
    write_private(paths.lab / "images.json", json.dumps(images, indent=1) + "\n")


def _detach(paths: Paths) -> None:
    """Detach from the terminal; each start begins new logs and keeps those of the run before."""
    private_directory(paths.logs)
    for log in paths.logs.glob("*.log"):
        log.rename(log.with_suffix(".log.1"))
    null = os.open(os.devnull, os.O_RDONLY)
    log_file = os.open(paths.log("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    for descriptor in (1, 2):
        os.dup2(log_file, descriptor)
    os.close(null)
    os.close(log_file)


if __name__ == "__main__":
    main()
