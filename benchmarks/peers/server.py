"""The common part of the servers that Chatsite is compared with: stores, processes, folders, time-outs."""

from __future__ import annotations

import itertools
import socket
import time
from typing import Any

from benchmarks.clients import Client, Invalid
from benchmarks.subject import Places
from benchmarks.usage import allow_many_files
from tests.harness.postgresql import PostgreSQL
from tests.harness.processes import DidNotStart, Program, temporary_folder

STARTING = 60.0  # seconds until a server that does not answer counts as failed


class PeerServer:
    """A `Subject` with one server process and, usually, a PostgreSQL of its own.

    Subclasses install the server, start it, create people, and connect.
    """

    title: str  # in the table
    has_database = True
    bad_marks: tuple[str, ...] = ()  # texts that show an error in the log

    def __init__(self) -> None:
        allow_many_files()
        self.folder = temporary_folder(type(self).__name__.lower())
        self.postgresql = PostgreSQL()
        self._program: Program | None = None
        self._numbers = itertools.count()

    # --- Implemented by subclasses ----------------------------------------------------------

    @classmethod
    def versions(cls) -> dict[str, str]:
        """Return versions by name: of the server and of its libraries; install what is missing.

        :raises Missing: something is missing and cannot be installed.
        """
        raise NotImplementedError

    def configure(self) -> None:
        """Prepare the database and the configuration, once."""
        raise NotImplementedError

    def program(self) -> Program:
        """Return the server's program, not started."""
        raise NotImplementedError

    def populate(self, wanted: dict[str, list[int]]) -> dict[str, Places]:
        """Create people and conversations: for each workload, conversations of these sizes."""
        raise NotImplementedError

    async def connect(self, place: Any, faults: list[str]) -> Client:
        """Return the client of this person, signed in and in the conversation."""
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port that clients connect to."""
        raise NotImplementedError

    # --- Common part ------------------------------------------------------------------------

    def start(self) -> None:
        """Start the stores and configure the server."""
        if self.has_database:
            self.postgresql.start()
        self.configure()

    def fresh_server(self) -> None:
        """Start a new server process and wait until it accepts connections.

        :raises DidNotStart: it ended, or did not answer in time.
        """
        self.stop_server()
        self._program = self.program()
        self._program.start()
        until = time.monotonic() + STARTING
        while not self.answers():
            if not self._program.running or time.monotonic() > until:
                raise DidNotStart(f"{self.title} does not answer:\n{self.log()[-3000:]}")
            time.sleep(0.1)

    def answers(self) -> bool:
        """Whether the server accepts connections."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
        except OSError:
            return False
        return True

    def stop_server(self) -> None:
        """End the server process."""
        if self._program is not None and self._program.running:
            try:
                self._program.stop(timeout=5)
            except TimeoutError:
                pass  # it was killed: its data is not used again

    def stop(self) -> None:
        """End everything that was started here."""
        self.stop_server()
        if self.has_database:
            self.postgresql.stop()

    def new_people(self, wanted: dict[str, list[int]]) -> dict[str, list[list[str]]]:
        """Return unused names: for each workload, for each conversation, as many as its size."""
        return {
            workload: [[f"person{next(self._numbers)}" for _ in range(size)] for size in sizes]
            for workload, sizes in wanted.items()
        }

    def log(self) -> str:
        """Return what the server printed and logged."""
        return "\n".join(file.read_text(errors="replace") for file in sorted(self.folder.glob("*.log")))

    def assert_clean_log(self) -> None:
        """Check that the server logged no error.

        :raises Invalid: it did.
        """
        lines = [line for line in self.log().splitlines() if any(mark in line for mark in self.bad_marks)]
        if lines:
            raise Invalid(f"{self.title} logged: " + "\n".join(lines[:5]))

    @property
    def server_pid(self) -> int | None:
        """The process id of the server."""
        return None if self._program is None else self._program.pid

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        found = {} if self.server_pid is None else {"server": self.server_pid}
        return found | ({"postgresql": self.postgresql.program.pid} if self.has_database else {})
