"""Linux namespaces, entered without root.

Python 3.11 has no os.unshare, hence ctypes. Constants are those of linux/sched.h, sys/mount.h and sys/prctl.h.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
from pathlib import Path

from slipway.errors import ExitCode, SlipwayError

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 0x2, 0x4, 0x8, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1

#: Switches of user namespaces: file -> (value for off, command to turn them on).
SWITCHES = {
    "kernel/unprivileged_userns_clone": ("0", "sudo sysctl kernel.unprivileged_userns_clone=1"),
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "user/max_user_namespaces": ("0", "sudo sysctl user.max_user_namespaces=15000"),
}
IN_A_CONTAINER = (
    "in a container: docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined "
    "--security-opt systempaths=unconfined"
)

_libc = ctypes.CDLL(None, use_errno=True)


def unshare() -> None:
    """Move this process into new user, network and mount namespaces, its future children into a new pid namespace.

    The caller becomes root there, without rights elsewhere. It must have one thread only.

    Raises:
        SlipwayError: This machine does not permit it to ordinary users.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        call("unshare", CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID)
        # Without this the kernel refuses an ordinary user's gid_map.
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as error:
        raise refused(error) from None


def become_init(lifeline: int) -> None:
    """Prepare process 1 of the new pid namespace: it dies with its parent and gets its own /proc.

    Args:
        lifeline: Read end of a pipe of which only the parent holds the write end.

    Raises:
        SlipwayError: The machine refuses a private /proc.
    """
    call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before that call. getppid is always 0 here, so the pipe is checked.
    watcher = select.poll()
    watcher.register(lifeline, select.POLLHUP)
    if watcher.poll(0):
        os._exit(1)
    try:
        _mount("none", "/", "", MS_REC | MS_PRIVATE)
        _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    except OSError as error:
        raise refused(error) from None


def refused(error: OSError, proc_sys: Path = Path("/proc/sys")) -> SlipwayError:
    """Return the error of refused user namespaces, with the switch that is off and its remedy."""
    for file, (off, cure) in SWITCHES.items():
        try:
            found = (proc_sys / file).read_text().strip()
        except OSError:
            continue
        if found == off:
            return SlipwayError(
                f"lab: user namespaces are off ({file.replace('/', '.')} = {off}); turn them on: {cure}",
                ExitCode.MACHINE,
            )
    return SlipwayError(
        f"lab: this machine refuses user namespaces ({os.strerror(error.errno or 0)}); {IN_A_CONTAINER}",
        ExitCode.MACHINE,
    )


def _mount(source: str, target: str, kind: str, flags: int) -> None:
    call("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), None)


def call(function: str, *arguments: object) -> None:
    """Call a function of the C library; raise OSError if it does not return 0."""
    if getattr(_libc, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), function)
