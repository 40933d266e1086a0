"""Real worker processes: `manage.py work`, started, watched, killed."""

import time
from collections.abc import Mapping
from pathlib import Path

from tests.harness.preloaded import Management
from tests.harness.processes import DidNotStart, Program
from tests.harness.product import bare_environment
from tests.waiting import DEADLINE


class Worker:
    """One `manage.py work`; of three threads or less, all may push to one provider at a time."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path, *, concurrency: int = 3) -> None:
        self.name = name
        self.environment = dict(environment)
        self.concurrency = concurrency
        self.log_file = folder / f"{name}.log"
        self.log_file.touch()
        self._program: Program | None = None

    def start(self, **settings: str) -> None:
        """Start it; `settings` hold for this start only. It works as soon as it has found its broker."""
        own = self.environment | {"WORKER_CONCURRENCY": str(self.concurrency)}
        self._program = Management(["work"], log=self.log_file, environment=bare_environment() | own | settings)
        self._program.start()

    @property
    def program(self) -> Program:
        """The running process, for signals."""
        assert self._program is not None, f"{self.name} was not started"
        return self._program

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._program is not None and self._program.running

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.program.kill()

    def dies(self, *, timeout: float = DEADLINE) -> None:
        """Wait until it has killed itself, at a crash point.

        :raises DidNotStart: it still runs.
        """
        until = time.monotonic() + timeout
        while self.running:
            if time.monotonic() > until:
                raise DidNotStart(f"{self.name} did not come to its crash point within {timeout} s\n{self.log()}")
            time.sleep(0.02)

    def stop(self) -> None:
        """End it in good order: what it has begun, it ends."""
        if self.running:
            self.program.thaw()
            self.program.stop(timeout=DEADLINE)

    def log(self) -> str:
        """Return what it wrote."""
        return self.log_file.read_text(errors="replace")
