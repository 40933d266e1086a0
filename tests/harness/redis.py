"""A Redis that belongs to one test run, on loopback and a free port."""

import socket

from tests.harness import binaries
from tests.harness.processes import DidNotStart, Program, answers, free_port, temporary_folder
from tests.waiting import DEADLINE


class Redis:
    """A Redis that keeps nothing on disk and comes back empty, on the port it had."""

    def __init__(self) -> None:
        self.folder = temporary_folder("redis")
        self.port = 0
        self._program: Program | None = None

    def start(self) -> None:
        """Start it and wait until it answers; a second start takes the same port."""
        keep, attempts = bool(self.port), 5
        for _ in range(attempts):
            self.port = self.port if keep else free_port()
            self._program = Program(
                [
                    binaries.redis(), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                    "--appendonly", "no", "--dir", self.folder,
                ],
                log=self.folder / "log",
            )  # fmt: skip
            self._program.start()
            if answers(self._program, self._is_there, timeout=DEADLINE):
                return
        raise DidNotStart((self.folder / "log").read_text())

    @property
    def program(self) -> Program:
        """The running server, for signals: freeze() makes it hang, thaw() lets it go on."""
        assert self._program is not None, "not started"
        return self._program

    def stop(self) -> None:
        """Stop it; its data is gone."""
        if self._program is not None and self._program.running:
            self._program.thaw()
            self._program.stop()

    def kill(self) -> None:
        """End it at once."""
        self.program.kill()

    def flush(self) -> None:
        """Forget everything (FLUSHALL)."""
        assert self._says(b"FLUSHALL\r\n") == b"+OK\r\n"

    def url(self, database: int = 0) -> str:
        """Return the address as REDIS_URL wants it."""
        return f"redis://127.0.0.1:{self.port}/{database}"

    def _is_there(self) -> bool:
        try:
            # By its process id, so that another Redis on that port is not taken for ours.
            return f"process_id:{self.program.pid}\r".encode() in self._says(b"INFO server\r\n")
        except OSError:
            return False

    def _says(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=DEADLINE) as connection:
            connection.sendall(command)
            return connection.recv(4096)
