"""Programs that the tests start, and their certain end.

Each runs in its own process group, so Ctrl-C at the terminal reaches the test run only. A
reaper (a small separate process) reads from a pipe: when the test run ends, in any way,
it kills the remaining groups and removes the temporary folders.
"""

import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from tests.waiting import DEADLINE

_REAPER = """
import os, shutil, signal, sys, time
groups, folders = set(), set()
for line in sys.stdin:
    verb, what = line.rstrip("\\n").split(" ", 1)
    if verb == "group": groups.add(int(what))
    elif verb == "ended": groups.discard(int(what))
    elif verb == "folder": folders.add(what)
def signal_all(number):
    for group in groups:
        try: os.killpg(group, number)
        except OSError: pass
def left():
    found = []
    for group in groups:
        try: os.killpg(group, 0); found.append(group)
        except OSError: pass
    return found
signal_all(signal.SIGCONT)
signal_all(signal.SIGINT)
until = time.monotonic() + 5
while left() and time.monotonic() < until: time.sleep(0.05)
signal_all(signal.SIGKILL)
for folder in folders: shutil.rmtree(folder, ignore_errors=True)
"""


class _Reaper:
    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def order(self, verb: str, what: object) -> None:
        if self._process is None or self._owner != os.getpid():
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _REAPER],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
                text=True,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(f"{verb} {what}\n")
        self._process.stdin.flush()


_reaper = _Reaper()


def temporary_folder(name: str, *, within: str | None = None) -> Path:
    """Make a folder that is removed when the test run ends, in any way."""
    folder = Path(tempfile.mkdtemp(prefix=f"chatsite-{name}-", dir=within))
    _reaper.order("folder", folder)
    return folder


def free_port() -> int:
    """Return a loopback port that nobody listens on, below the range of outgoing connections.

    Ports of that range may be taken as a client's source port while a server restarts. For the same reason processes
    that share the tests have ports of their own.
    """
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for _ in range(200):
        port = random.randrange(18000 + mine, 32000, processes)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port between 18000 and 32000")


class DidNotStart(Exception):
    """A service ended or stayed silent instead of answering; the text is its log."""


class Child(Protocol):
    """A child process, or one that behaves like it."""

    pid: int
    returncode: int | None

    def wait(self) -> int:
        """Wait for its end, free its process id, and return the exit code."""


class Program:
    """One program in a process group of its own, its output in a file."""

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        user: str | None = None,
    ) -> None:
        self.arguments = [str(argument) for argument in arguments]
        self.log = log
        self.environment = dict(environment) if environment is not None else None
        self.folder = folder
        self.user = user
        self._process: Child | None = None

    def start(self) -> None:
        """Start the program; its output is appended to the log."""
        assert not self.running, f"{self.arguments[0]} runs already"
        self._process = self._launch()
        _reaper.order("group", self._process.pid)

    def _launch(self) -> Child:
        with self.log.open("ab") as output:
            return subprocess.Popen(
                self.arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.folder,
                start_new_session=True,
                user=self.user,
                group=_group_of(self.user) if self.user else None,
                extra_groups=[] if self.user else None,
            )

    @property
    def pid(self) -> int:
        """The process id, which is also that of its group."""
        assert self._process is not None, "not started"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the program was started and has not ended."""
        return self._process is not None and not self._has_ended()

    @property
    def exit_code(self) -> int | None:
        """The exit code, negative for a signal, None while it runs or was never started."""
        return None if self._process is None or not self._has_ended() else self.stop()

    def send_signal(self, number: int) -> None:
        """Send a signal to the leading process, if it has not ended."""
        assert self._process is not None, "not started"
        if self._process.returncode is None:  # not reaped, so the id is still ours
            os.kill(self._process.pid, number)

    def freeze(self) -> None:
        """Pause the program (SIGSTOP)."""
        self.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume a paused program (SIGCONT)."""
        self.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the program and its group at once (SIGKILL)."""
        self.stop(signal.SIGKILL)

    def stop(self, number: int = signal.SIGTERM, *, timeout: float = DEADLINE) -> int:
        """Signal the program, wait for its end, kill the rest of its group.

        :raises TimeoutError: it had to be killed because it outlived `timeout`.
        """
        assert self._process is not None, "not started"
        if self._process.returncode is None:
            self.send_signal(number)
            ended = self._ends_within(timeout)
            self._kill_group()  # before reaping: until then no other process can get this id
            self._process.wait()
            _reaper.order("ended", self._process.pid)
            if not ended:
                raise TimeoutError(f"{self.arguments} outlived signal {number} by {timeout} s")
        return self._process.wait()

    def wait(self, timeout: float) -> int:
        """Wait for the program to end by itself.

        :raises TimeoutError: it still runs.
        """
        if not self._ends_within(timeout):
            raise TimeoutError(f"{self.arguments} still runs after {timeout} s")
        return self.stop()

    def _has_ended(self) -> bool:
        assert self._process is not None
        return self._process.returncode is not None or self._awaits_reaping()

    def _awaits_reaping(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _ends_within(self, timeout: float) -> bool:
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            if self._has_ended():
                return True
            time.sleep(0.01)
        return self._has_ended()

    def _kill_group(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def answers(program: Program, asks: Callable[[], bool], *, timeout: float) -> bool:
    """Wait until a program answers, and end it if it does not in time; return whether it does."""
    until = time.monotonic() + timeout
    while time.monotonic() < until and program.running:
        if asks():
            # Another program may own the port, and ours may be about to report that.
            return program.running
        time.sleep(0.02)
    if program.running:
        program.kill()
    return False


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid
