"""A double in the process of the test: its process, its faults, what it received."""

import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, Self

from tests.harness.processes import DidNotStart, Program, answers, free_port, temporary_folder
from tests.harness.providers.certificates import certificates
from tests.harness.providers.faults import Kind
from tests.harness.providers.received import Log, R, Received
from tests.waiting import DEADLINE

_PROJECT = Path(__file__).resolve().parents[3]


class Process(Generic[R]):
    """The process of any double. A restart keeps its ports, its keys and its facts."""

    name: str  # as `python -m tests.harness.providers` knows it
    listeners = 1

    def __init__(self, kind: type[R]) -> None:
        self.folder = temporary_folder(self.name)
        self.ports: list[int] = []
        self._log = Log(self.folder / "received.jsonl", kind)
        self._settings: dict[str, Any] = {}
        self._facts: dict[str, Any] = {}
        self._program: Program | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it is ready; a second start takes the same port. Faults do not survive."""
        keep, attempts = bool(self.ports), 5
        for _ in range(attempts):
            self.ports = self.ports if keep else [free_port() for _ in range(self.listeners)]
            self._write_settings()
            ports = [text for port in self.ports for text in ("--port", str(port))]
            self._program = Program(
                [sys.executable, "-m", "tests.harness.providers", self.name, "--folder", self.folder, *ports],
                log=self.folder / "log",
                folder=_PROJECT,
            )
            self._program.start()
            if answers(self._program, self._is_there, timeout=DEADLINE):
                return
        raise DidNotStart((self.folder / "log").read_text())

    @property
    def program(self) -> Program:
        """The running process."""
        assert self._program is not None, "not started"
        return self._program

    @property
    def port(self) -> int:
        """The port on loopback."""
        return self.ports[0]

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that signed its own."""
        return certificates().ca_file

    def stop(self) -> None:
        """Stop it: connections end, the port is closed."""
        if self._program is not None and self._program.running:
            self._program.thaw()
            self._program.stop()

    def kill(self) -> None:
        """End it at once."""
        self.program.kill()

    def freeze(self) -> None:
        """Let it hang: its port accepts connections but never answers."""
        self.program.freeze()

    def thaw(self) -> None:
        """Let it go on."""
        self.program.thaw()

    def works(self) -> None:
        """End all faults. Facts about tokens stay."""
        self._asks(do="works")

    def received(self) -> list[R]:
        """Return what arrived since the beginning, or since `forget()`, in order; also of a killed process."""
        return self._log.read()

    def forget(self) -> None:
        """Let `received()` begin with what arrives from now on."""
        self._log.forget()

    def complaints(self) -> list[str]:
        """Return what clients did against the protocol itself (HTTP/2, HTTP/1.1, ALPN)."""
        return self._log.complaints()

    def waits_for(self, condition: Callable[[list[R]], bool], *, timeout: float = DEADLINE) -> list[R]:
        """Wait until what was received meets a condition, and return it.

        :raises AssertionError: it does not within `timeout` seconds; the text shows what was received.
        """
        until = time.monotonic() + timeout
        while not condition(found := self.received()):
            if time.monotonic() > until:
                shown = "\n".join(str(record) for record in found[-20:])
                raise AssertionError(f"{self.name} did not receive it within {timeout} s:\n{shown}")
            time.sleep(0.01)
        return found

    def _set_facts(self, **facts: Any) -> None:
        """Send facts to the process, now and at each start; dicts are merged into those it has."""
        for name, value in facts.items():
            if isinstance(value, dict):
                self._facts.setdefault(name, {}).update(value)
            else:
                self._facts[name] = value
        if self._program is not None and self._program.running:
            self._asks(do="facts", **facts)

    def _asks(self, **command: Any) -> dict[str, Any]:
        where = json.loads((self.folder / "control").read_text())
        with socket.create_connection(("127.0.0.1", where["port"]), timeout=DEADLINE) as connection:
            connection.sendall(json.dumps(command).encode() + b"\n")
            with connection.makefile("rb") as answer:
                said: dict[str, Any] = json.loads(answer.readline())
                return said

    def _write_settings(self) -> None:
        made = certificates()
        settings = self._settings | {"certificate": str(made.certificate), "certificate_key": str(made.key)}
        text = json.dumps({"settings": settings, "facts": self._facts})
        (self.folder / "settings.json").write_text(text)

    def _is_there(self) -> bool:
        try:
            where = json.loads((self.folder / "control").read_text())
        except FileNotFoundError:
            return False
        return bool(where["pid"] == self.program.pid)


class Double(Process[Received]):
    """A double of a provider that speaks HTTP over TLS."""

    def __init__(self) -> None:
        super().__init__(Received)

    def fails(
        self,
        kind: int | Kind,
        *,
        token: str | None = None,
        times: int | None = None,
        seconds: float = 0.0,
        retry_after: float | None = None,
        reason: str = "",
    ) -> None:
        """Fail pushes from now on, until `works()`.

        :param kind: a status to answer with, or "slow" (answers after `seconds`), "reset" (nothing is taken; a new
            connection is reset right after its handshake), "cut" (taken and delivered, then reset instead of an
            answer), "silent" (never answers, delivers nothing), "goaway" (HTTP/2: said not to be processed).
        :param token: only pushes to this token; None for all.
        :param times: only the next so many requests (for "reset" without a token: requests or connections).
        :param retry_after: seconds for the header Retry-After.
        :param reason: the provider's word, when a status stands for several.
        """
        order = {"kind": kind, "token": token, "times": times, "seconds": seconds}
        self._asks(do="fails", **order, retry_after=retry_after, reason=reason)

    def goes_away(self) -> None:
        """Send GOAWAY on all open connections: what was taken so far is answered first, nothing later is."""
        self._asks(do="goaway")

    def connections(self) -> tuple[int, int]:
        """Return how many connections were opened since the start, and how many are open."""
        said = self._asks(do="count")
        return said["opened"], said["open"]

    def delivered(self, token: str | None = None) -> list[Received]:
        """Return those of `received()` that reached a device (this device), whatever the answer to the sender was."""
        return [record for record in self.received() if record.delivered and token in (None, record.token)]

    def arrives(self, count: int = 1, *, token: str | None = None, timeout: float = DEADLINE) -> list[Received]:
        """Wait until at least so many pushes reached devices (this device), and return them.

        :raises AssertionError: they do not within `timeout` seconds.
        """

        def enough(_: list[Received]) -> bool:
            return len(self.delivered(token)) >= count

        self.waits_for(enough, timeout=timeout)
        return self.delivered(token)
