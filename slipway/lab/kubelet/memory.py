"""Memory use of containers, measured by an ordinary user's process.

A kubelet puts each container into a control group, whose limit the kernel enforces. The lab has none: in version 1 an
ordinary user cannot make any, in version 2 only below a directory that systemd delegated to the user's own manager,
which a process started from a terminal cannot join. An address space limit (RLIMIT_AS) would kill healthy servers,
since Python maps many times its use. So this kubelet measures every half second and kills containers above their
limits. One that grows by gigabytes between two measurements gets further than in a cluster.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

#: Seconds between two measurements.
LOOK = 0.5
#: Bytes available below which pods are evicted: a kubelet's default (--eviction-hard, memory.available<100Mi).
EVICT_BELOW = 100 << 20
#: Seconds without pressure before pods are accepted again. A kubelet waits 300; a lab's user should not have to.
PRESSURE_SECONDS = 10.0
MEMINFO = Path("/proc/meminfo")

_UNITS = {
    "": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15, "E": 10**18,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50, "Ei": 2**60,
}  # fmt: skip
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]*)?)([kMGTPE]|[KMGTPE]i)?")


def in_bytes(quantity: str) -> int | None:
    """Return a quantity of the API in bytes; None for forms that are not used for memory (`1e9`, `100m`)."""
    match = _QUANTITY.fullmatch(quantity)
    return int(float(match[1]) * _UNITS[match[2] or ""]) if match else None


def in_mebibytes(amount: int) -> str:
    """Return an amount of memory as text, in mebibytes."""
    return f"{amount / 2**20:.0f}Mi"


def available(meminfo: Path) -> int:
    """Return the memory available without swapping, in bytes (proc(5), MemAvailable)."""
    return _kibibytes(meminfo, ("MemAvailable",))


def used(containers: Iterable[int]) -> dict[int, int]:
    """Return the memory of containers in bytes: their own pages and shared memory, without reclaimable file pages.

    Args:
        containers: Process 1 of each in the kubelet's namespace; ended ones are left out.
    """
    return _sums(containers, "status", ("RssAnon", "RssShmem"))


def above(limits: Mapping[int, int]) -> dict[int, int]:
    """Return the memory of the containers above their limits, in bytes by process 1.

    Forked processes share pages, which `used` counts once for each; the exact share costs ten times as much, so it is
    read only for suspects.
    """
    suspects = [pid for pid, amount in used(limits).items() if amount > limits[pid]]
    exact = _sums(suspects, "smaps_rollup", ("Pss_Anon", "Pss_Shmem"))
    return {pid: amount for pid, amount in exact.items() if amount > limits[pid]}


@dataclass(frozen=True)
class Use:
    """Memory use and request of one pod, in bytes."""

    used: int
    requested: int
    priority: int = 0


def victim(pods: Mapping[str, Use]) -> str | None:
    """Return the pod to evict, by a kubelet's order: use above its request, lower priority, larger excess."""

    def order(uid: str) -> tuple[bool, int, int]:
        use = pods[uid]
        return use.used > use.requested, -use.priority, use.used - use.requested

    return max(pods, key=order, default=None)


def _sums(containers: Iterable[int], file: str, fields: tuple[str, ...]) -> dict[int, int]:
    """Return the sum of fields of a file of /proc over a container's processes, by its process 1, in bytes.

    Its processes are those in the PID namespace of its process 1.
    """
    spaces: dict[int, int] = {}
    for pid in containers:
        with contextlib.suppress(OSError):
            spaces[os.stat(f"/proc/{pid}/ns/pid").st_ino] = pid
    found = dict.fromkeys(spaces.values(), 0)
    for entry in os.listdir("/proc") if spaces else ():
        if entry.isdigit():
            with contextlib.suppress(OSError):
                if owner := spaces.get(os.stat(f"/proc/{entry}/ns/pid").st_ino):
                    found[owner] += _kibibytes(Path(f"/proc/{entry}/{file}"), fields)
    return found


def _kibibytes(file: Path, fields: tuple[str, ...]) -> int:
    """Return the sum of fields of a file of /proc, in bytes; 0 where the process has ended."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in lines if line.partition(":")[0] in fields)
