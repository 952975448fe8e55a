"""How much memory containers use, as far as an ordinary user's process can tell.

A kubelet puts each container into a control group, whose limit the kernel holds. The lab has none to put it into: in
version 1 an ordinary user may make none at all, in version 2 only below a directory that systemd delegated to the
user's own manager, into which a process that was started from a terminal may not move. An address space limit
(RLIMIT_AS) would kill servers that are well: Python's map many times what they use. So this kubelet looks, every half
second, and kills what is above its limit. A container that grows by gigabytes between two looks gets further than it
would in a cluster.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two looks.
LOOK = 0.5
#: A kubelet's default: it evicts while less is available (--eviction-hard, memory.available<100Mi).
EVICT_BELOW = 100 << 20
#: Seconds without need before pods are taken in again. A kubelet waits 300: people wait in front of a lab.
PRESSURE_SECONDS = 10.0
MEMINFO = Path("/proc/meminfo")

_UNITS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?)([kMGTPE]|[KMGTPE]i)?")


def in_bytes(quantity: str) -> int | None:
    """Read an amount of memory as the API writes it; None for forms that nobody uses for memory (`1e9`, `100m`)."""
    match = _QUANTITY.fullmatch(quantity)
    return int(float(match[1]) * _UNITS[match[2] or ""]) if match else None


def in_mebibytes(amount: int) -> str:
    """Write an amount of memory for people."""
    return f"{amount / 2**20:.0f}Mi"


def available(meminfo: Path) -> int:
    """Return what the machine can still give without swapping, in bytes (proc(5), MemAvailable)."""
    return _kibibytes(meminfo, ("MemAvailable",))


def used(containers: Iterable[int]) -> dict[int, int]:
    """Return the memory that containers use, in bytes: their own pages and shared memory, not what files can give back.

    Args:
        containers: Process 1 of each, as the kubelet sees it; one that is gone is left out.
    """
    return {pid: sum(map(_resident, members)) for pid, members in _members(containers)}


def above(limits: Mapping[int, int]) -> dict[int, int]:
    """Return what those containers use that use more than they may, in bytes, by process 1.

    Processes that a server has forked share pages, which `used` counts once for each; the exact share is ten times
    as dear to ask for, so only who seems to use too much is asked.
    """
    suspects = [pid for pid, amount in used(limits).items() if amount > limits[pid]]
    exact = {pid: sum(map(_proportional, members)) for pid, members in _members(suspects)}
    return {pid: amount for pid, amount in exact.items() if amount > limits[pid]}


@dataclass(frozen=True)
class Use:
    """What one pod uses of what it asked for, in bytes."""

    used: int
    requested: int
    priority: int = 0


def victim(pods: Mapping[str, Use]) -> str | None:
    """Choose whom to evict, by a kubelet's order: who uses more than requested, lower priority, the larger excess."""

    def order(uid: str) -> tuple[bool, int, int]:
        use = pods[uid]
        return use.used > use.requested, -use.priority, use.used - use.requested

    return max(pods, key=order, default=None)


def _members(containers: Iterable[int]) -> Iterator[tuple[int, list[str]]]:
    """Yield the processes of each container: those in the PID namespace of its process 1."""
    spaces: dict[int, int] = {}
    for pid in containers:
        with contextlib.suppress(OSError):
            spaces[os.stat(f"/proc/{pid}/ns/pid").st_ino] = pid
    found: dict[int, list[str]] = {pid: [] for pid in spaces.values()}
    for entry in os.listdir("/proc") if spaces else ():
        if entry.isdigit():
            with contextlib.suppress(OSError):
                pid = spaces.get(os.stat(f"/proc/{entry}/ns/pid").st_ino, 0)
                if pid:
                    found[pid].append(entry)
    yield from found.items()


def _resident(process: str) -> int:
    return _kibibytes(Path(f"/proc/{process}/status"), ("RssAnon", "RssShmem"))


def _proportional(process: str) -> int:
    return _kibibytes(Path(f"/proc/{process}/smaps_rollup"), ("Pss_Anon", "Pss_Shmem"))


def _kibibytes(file: Path, fields: tuple[str, ...]) -> int:
    """Add up fields of a file of /proc, in bytes; 0 where the process has ended."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.partition(":")[0] in fields)
