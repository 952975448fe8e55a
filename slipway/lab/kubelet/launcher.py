"""Launcher of a container's process, inside separate namespaces.

A plain interpreter runs it as a script (`python -I -S launcher.py`) with its orders as JSON on stdin. It stays as the
parent: SIGTERM goes on to the container, SIGUSR1 kills it, and the exit code is the container's. It dies with the
kubelet, and with it every process of the container: the container is the first process of a PID namespace. On the
report descriptor it writes `pid N`, then `error ...` if the command could not be started; the descriptor closes when
the command runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import signal
import stat
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

# linux/sched.h
CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
# linux/mount.h
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_MOVE, MS_REC, MS_PRIVATE = 4096, 8192, 16384, 1 << 18
MNT_DETACH = 2
# linux/prctl.h
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
#: Default of container runtimes (linux/capability.h: chown, dac_override, fowner, fsetid, kill, setgid, setuid,
#: setpcap, net_bind_service, sys_chroot); a process with sys_admin could undo a read-only mount.
KEPT_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 18}
LAST_CAPABILITY = 40
#: The pivot_root call has no wrapper in the C library.
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
#: The mount_setattr call (Linux 5.12) has the same number everywhere, and no wrapper in older C libraries.
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
#: Directories of the machine that stay writable: scratch space that programs expect.
SCRATCH = ("/tmp", "/var/tmp", "/dev/shm")
#: Flags of statvfs that a remount inside a user namespace must keep; the values equal those of mount.
LOCKED = MS_NOSUID | MS_NODEV | MS_NOEXEC | 1024 | 2048

LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> int:
    """Carry out the orders; return the container's exit code."""
    orders = json.load(sys.stdin)
    report = orders["report"]
    os.set_inheritable(report, False)
    _call("prctl", LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        _enter(orders)
        forwarded = {signal.SIGTERM: signal.SIGTERM, signal.SIGUSR1: signal.SIGKILL}
        signal.pthread_sigmask(signal.SIG_BLOCK, forwarded)
        child = os.fork()
        if child == 0:
            _become(orders, report)
    except (OSError, KeyError) as error:
        os.write(report, f"error {error}".encode())
        return 128
    for received in forwarded:
        signal.signal(received, lambda number, _: os.kill(child, forwarded[signal.Signals(number)]))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, forwarded)
    os.write(report, f"pid {child}\n".encode())
    os.close(report)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return code if code >= 0 else 128 - code


def _enter(orders: dict[str, Any]) -> None:
    """Move to the container's namespaces; a PID namespace takes effect with the next fork."""
    if "join" in orders:
        files = [(kind, os.open(f"/proc/{orders['join']}/ns/{kind}", os.O_RDONLY)) for kind in ("net", "pid", "mnt")]
        for kind, file in files:
            flag = {"net": CLONE_NEWNET, "pid": CLONE_NEWPID, "mnt": CLONE_NEWNS}[kind]
            _call(f"setns {kind}", LIBC.setns(file, flag))
            os.close(file)
        return
    _call("setns net", LIBC.setns(orders["netns"], CLONE_NEWNET))
    os.close(orders["netns"])
    _call("unshare", LIBC.unshare(CLONE_NEWNS | CLONE_NEWPID))


def _become(orders: dict[str, Any], report: int) -> NoReturn:
    """In the child: set the file system up and run the command; never returns."""
    try:
        _call("prctl", LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))
        for number in (signal.SIGPIPE, signal.SIGINT, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.setsid()
        if "join" not in orders:
            _call("mount private", LIBC.mount(None, b"/", None, MS_REC | MS_PRIVATE, None))
            files = FileSystem(orders["staging"])
            files.protect((*SCRATCH, orders["home"]))
            mounts, home = orders["mounts"], orders["home"]
            hidden = any(hides(mount["target"], home) for mount in mounts)
            again = [{"source": home, "target": home, "read_only": False}] if hidden else []
            files.mount_all([*mounts, *again])
            _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
            # When the machine runs out of memory, the kernel should end a container, not the control plane.
            with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
                score.write("1000")
        os.chdir(orders["workdir"])
        for capability in range(LAST_CAPABILITY + 1):
            if capability not in KEPT_CAPABILITIES:
                LIBC.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        _execute(orders["argv"], orders["env"])
    except BaseException as error:
        os.write(report, f"error {error}".encode())
        os._exit(126)


def _execute(argv: list[str], env: dict[str, str]) -> NoReturn:
    try:
        os.execvpe(argv[0], argv, env)
    except FileNotFoundError:
        # Python's own message names the last directory of PATH that it tried.
        raise OSError("command not found" + ("" if "/" in argv[0] else f" on PATH {env.get('PATH', '')}")) from None


def hides(target: str, path: str) -> bool:
    """Return whether a mount at a target hides a path."""
    return path.startswith(f"{target}/")


class FileSystem:
    """File system of the machine with a pod's volumes mounted.

    Args:
        staging: An empty directory in which a new directory is built before it covers an old one.
    """

    def __init__(self, staging: str) -> None:
        self.staging = staging
        #: Directories in which the launcher may create files: they belong to the pod, not to the machine.
        self.own: list[str] = []
        #: Whether a volume hides the staging directory. Later mount points then lie in that volume of the pod.
        self.hidden = False

    def protect(self, writable: Sequence[str]) -> None:
        """Make the machine's files read-only except some directories.

        A kernel older than 5.12 cannot; there a container can write what its user can.
        """
        kept = [directory for directory in writable if os.path.isdir(directory)]
        for directory in kept:
            _mount(directory, directory, None, MS_BIND | MS_REC)
        if _set_read_only("/", True, AT_RECURSIVE):
            for directory in kept:
                _set_read_only(directory, False)

    def mount_all(self, mounts: list[dict[str, Any]]) -> None:
        """Mount each source at its target."""
        # A mount that hides the pod's own directory, as /tmp may, comes last with all mounts inside it; by then the
        # sources that it hides are held by descriptors.
        hiding = tuple(f"{mount['target']}/" for mount in mounts if hides(mount["target"], self.staging))
        last = [mount for mount in mounts if f"{mount['target']}/".startswith(hiding)]
        for mount in mounts:
            if mount not in last:
                self._mount(mount, mount["source"])
        held = [(mount, f"/proc/self/fd/{os.open(mount['source'], os.O_PATH)}") for mount in last]
        self.hidden = bool(held)
        for mount, source in held:
            self._mount(mount, source)

    def _mount(self, mount: dict[str, Any], source: str) -> None:
        target = os.path.realpath(mount["target"])
        self._make(target, os.path.isdir(source))
        _mount(source, target, None, MS_BIND | MS_REC)
        if mount["read_only"]:
            flags = os.statvfs(target).f_flag & LOCKED
            _mount(None, target, None, MS_BIND | MS_REMOUNT | MS_RDONLY | flags)
        else:
            # A bind mount inherits the flags of its source's file system, which is read-only now.
            _set_read_only(target, False)
        self.own.append(target)

    def _make(self, target: str, directory: bool) -> None:
        """Make a mount point without writing to the machine's own directories."""
        if os.path.exists(target):
            return
        ancestor = os.path.dirname(target)
        while not os.path.isdir(ancestor):
            ancestor = os.path.dirname(ancestor)
        # An earlier container may have made it in the volume.
        if ancestor not in self.own and not self.hidden:
            self._cover(ancestor)
        missing = target if directory else os.path.dirname(target)
        while missing != ancestor:
            self.own.append(missing)
            missing = os.path.dirname(missing)
        os.makedirs(target if directory else os.path.dirname(target), exist_ok=True)
        if not directory:
            os.close(os.open(target, os.O_CREAT))

    def _cover(self, directory: str) -> None:
        """Cover a directory by a copy of itself, made of bind mounts, to which entries can be added."""
        _mount("tmpfs", self.staging, "tmpfs", MS_NOSUID | MS_NODEV)
        os.chmod(self.staging, 0o755)
        for entry in os.scandir(directory):
            copy = os.path.join(self.staging, entry.name)
            if entry.is_symlink():
                os.symlink(os.readlink(entry.path), copy)
                continue
            if stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
                os.mkdir(copy)
            else:
                os.close(os.open(copy, os.O_CREAT))
            _mount(entry.path, copy, None, MS_BIND | MS_REC)
        if directory == "/":
            os.chdir(self.staging)
            _call("pivot_root", LIBC.syscall(PIVOT_ROOT[platform.machine()], b".", b"."))
            _call("umount", LIBC.umount2(b".", MNT_DETACH))
            os.chdir("/")
        else:
            _mount(self.staging, directory, None, MS_MOVE)
        self.own.append(directory)


def _mount(source: str | None, target: str, kind: str | None, flags: int) -> None:
    arguments = [text.encode() if text is not None else None for text in (source, target, kind)]
    _call(f"mount {target}", LIBC.mount(*arguments, ctypes.c_ulong(flags), None))


def _set_read_only(directory: str, wanted: bool, flags: int = 0) -> bool:
    # struct mount_attr: attr_set, attr_clr, propagation, userns_fd
    attributes = (ctypes.c_uint64 * 4)(*((MOUNT_ATTR_RDONLY, 0) if wanted else (0, MOUNT_ATTR_RDONLY)), 0, 0)
    arguments = (AT_FDCWD, directory.encode(), flags, ctypes.byref(attributes), ctypes.sizeof(attributes))
    return bool(LIBC.syscall(MOUNT_SETATTR, *arguments) == 0)


def _call(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    os._exit(main())
