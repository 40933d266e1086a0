"""CPU time and memory of processes, read from /proc (Linux)."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


def allow_many_files(needed: int = 0) -> None:
    """Raise the limit of open files of this process, and so of those that it starts, to `needed` or 16,384.

    :raises SystemExit: the system does not allow `needed`.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if needed > hard != resource.RLIM_INFINITY:
        raise SystemExit(f"this takes {needed} open files, and `ulimit -Hn` allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed, min(hard, 16_384)), hard))


def tree(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    found, queue = [], [pid]
    while queue:
        found.append(current := queue.pop())
        for task in Path(f"/proc/{current}/task").glob("*/children"):
            try:
                queue.extend(map(int, task.read_text().split()))
            except OSError:
                continue
    return found


def cpu_seconds(pid: int) -> float:
    """Return user and system time of a process tree; children that ended count in steps of 10 ms."""
    total = 0.0
    for member in tree(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            # The id of the CPU clock of another process, as made by clock_getcpuclockid(3).
            total += time.clock_gettime(~member << 3 | 2) + sum(map(int, fields[13:15])) / _TICKS
        except OSError:
            continue
    return total


def memory_kib(pid: int, kind: str = "Pss") -> int:
    """Return PSS (memory with shared pages divided among processes) or RSS of a process tree, in KiB."""
    total = 0
    for member in tree(pid):
        try:
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith(f"{kind}:"))
    return total


def machine_cpu_seconds() -> float:
    """Return the CPU time of the whole machine, over all cores; time stolen by a hypervisor counts as used."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS


def wait_until_quiet(most_seconds: float) -> None:
    """Wait until the machine is nearly idle for 1.5 s, at most `most_seconds`."""
    end = time.monotonic() + most_seconds
    while time.monotonic() < end:
        before = machine_cpu_seconds()
        time.sleep(1.5)
        if (machine_cpu_seconds() - before) / 1.5 < 0.12:
            return


class Stopwatch:
    """CPU used between `start` and `stop`, by name, as a share of one core.

    "strangers" is the share of everything else on the machine: if it is high, the run says little.
    """

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self.shares: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self.seconds = 0.0

    def start(self) -> None:
        """Start counting."""
        self._before = self._read()
        self._begun = time.perf_counter()

    def stop(self) -> None:
        """Stop counting; the result is in `seconds`, `cpu` (seconds) and `shares` (1.0 is one core)."""
        self.seconds = time.perf_counter() - self._begun
        now = self._read()
        used = {name: now[name] - self._before[name] for name in now}
        machine = used.pop("machine")
        self.cpu = {**used, "strangers": max(0.0, machine - sum(used.values()))}
        self.shares = {name: used / self.seconds for name, used in self.cpu.items()}

    def _read(self) -> dict[str, float]:
        others = {name: cpu_seconds(pid) for name, pid in self._pids.items()}
        return {"generator": time.process_time(), **others, "machine": machine_cpu_seconds()}
