"""One request to a double: judged by the provider's rules, failed on demand, recorded."""

import asyncio
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Protocol

from tests.harness.providers.faults import Fault, Faults
from tests.harness.providers.journal import Entry, Journal


@dataclass(slots=True)
class Request:
    """A request as it came: header names in lower case, `listener` counts the double's ports from zero."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    listener: int = 0


@dataclass(slots=True)
class Response:
    """What is answered."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Verdict:
    """The answer of the provider to a request, and what to record of it.

    `token` is "" when the request is for nobody, and meets no fault. `not_a_push`: it meets only the faults of its own
    token. `mistakes` are those that a provider lets pass or notices too late to answer.
    """

    response: Response
    token: str = ""
    payload: Any = None
    id: str = ""
    reason: str = ""
    delivered: bool = False
    mistakes: list[str] = field(default_factory=list)
    not_a_push: bool = False


class Connection(Protocol):
    """What the exchange needs of a connection. Nothing is sent before `flush()`."""

    session: dict[str, Any]  # what the service remembers of this connection

    def answer(self, stream: int, response: Response) -> None: ...
    def cut(self) -> None: ...
    def go_away(self, unprocessed: int) -> None: ...
    def flush(self) -> None: ...
    @property
    def closed(self) -> bool: ...


class Service(ABC):
    """A provider's rules. `facts` has the facts that the test sent, about tokens and the like."""

    protocols: list[str]
    largest_body: int  # bytes; a longer body is judged without waiting for the rest

    def __init__(self, settings: dict[str, Any], facts: dict[str, Any]) -> None:
        self.settings = settings
        self.facts = facts

    @abstractmethod
    def judge(self, request: Request, session: dict[str, Any]) -> Verdict:
        """Say what the provider would answer."""

    @abstractmethod
    def failure(self, fault: Fault, token: str) -> tuple[Response, str]:
        """Return the provider's form of an ordered status, and its reason."""

    def accepted(self, session: dict[str, Any]) -> int | None:
        """Return how many streams a connection may have from now on, None for no change."""
        return None


class Exchange:
    """Takes the requests of all connections of one double."""

    def __init__(self, service: Service, faults: Faults, journal: Journal) -> None:
        self.service = service
        self.faults = faults
        self.journal = journal

    def take(self, request: Request, connection: Connection, stream: int) -> None:
        """Judge and record a request, and answer it or fail as ordered."""
        verdict = self.service.judge(request, connection.session)
        fault = self.faults.take(verdict.token, own_only=verdict.not_a_push) if verdict.token else None
        entry: Entry = {
            "at": time.time(),
            "listener": request.listener,
            "method": request.method,
            "path": request.path,
            "headers": request.headers,
            "token": verdict.token,
            "payload": verdict.payload,
            "id": verdict.id,
            "status": verdict.response.status,
            "reason": verdict.reason,
            "how": "answered",
            "delivered": verdict.delivered,
            "mistakes": verdict.mistakes,
        }
        if fault is None:
            self.journal.add(entry)
            connection.answer(stream, verdict.response)
        elif fault.kind == "slow":
            self._answer_later(entry, verdict.response, fault.seconds, connection, stream)
        elif isinstance(fault.kind, int):
            response, reason = self.service.failure(fault, verdict.token)
            if fault.retry_after is not None:
                response.headers["retry-after"] = f"{fault.retry_after:g}"
            self.journal.add({**entry, "status": response.status, "reason": reason, "delivered": False})
            connection.answer(stream, response)
        else:
            delivered = verdict.delivered and fault.kind == "cut"
            self.journal.add({**entry, "status": None, "reason": "", "how": fault.kind, "delivered": delivered})
            if fault.kind == "goaway":
                connection.go_away(stream)
            elif fault.kind != "silent":
                connection.cut()

    def _answer_later(
        self, entry: Entry, response: Response, seconds: float, connection: Connection, stream: int
    ) -> None:
        number = self.journal.add({**entry, "status": None, "how": "slow"})

        def answer() -> None:
            if connection.closed:
                self.journal.amend(number, how="gone")  # the client has left
                self.journal.flush()
                return
            self.journal.amend(number, status=entry["status"])
            connection.answer(stream, response)
            connection.flush()

        asyncio.get_running_loop().call_later(seconds, answer)
