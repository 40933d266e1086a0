"""What a double received, as the test sees it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from tests.harness.providers.journal import Entry, JournalReader

How = Literal["answered", "slow", "gone", "cut", "silent", "reset", "goaway"]
# slow: with `status` None the answer is still to come. gone: the client left before the slow answer. The rest are the
# faults of these names, which leave `status` None.


@dataclass(frozen=True, slots=True)
class Received:
    """One request. `token` is what a push is addressed to, for Web Push the endpoint; "" when it was no push.

    `delivered`: the provider has taken it to the device, whatever the answer to the client. `mistakes` are ours that
    the provider lets pass or notices too late to answer: a correct sender makes none.
    """

    number: int
    at: float  # seconds since 1970
    listener: int  # APNs: 0 is production, 1 the sandbox
    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    token: str
    payload: Any  # parsed JSON; Web Push: of the plain text
    id: str  # apns-id, the message's name, the address of the message
    status: int | None  # None: not answered (yet)
    reason: str  # the provider's reason: "Unregistered"; "" for success
    how: How
    delivered: bool
    mistakes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mail:
    """One attempt to send a mail, up to its content or to where it was refused."""

    number: int
    at: float  # seconds since 1970
    sender: str
    recipients: tuple[str, ...]
    content: str  # as received, "" when it was refused before; bytes that are not UTF-8 are surrogates
    status: int | None
    how: How
    delivered: bool
    secure: bool  # TLS was on
    user: str  # who signed in, "" for nobody


R = TypeVar("R", bound=Received | Mail)


class Log(Generic[R]):
    """The entries of a double's journal as records of their type."""

    def __init__(self, path: Path, kind: type[R]) -> None:
        self._reader = JournalReader(path)
        self._kind = kind
        self._forgotten = 0
        self._records: list[R] = []

    def read(self) -> list[R]:
        """Return what was received since `forget()`, in order."""
        self._catch_up()
        return self._records[self._forgotten :]

    def complaints(self) -> list[str]:
        """Return what the double complained about: clients that break the protocol."""
        self._catch_up()
        return list(self._reader.complaints)

    def forget(self) -> None:
        """Let later reads begin here."""
        self._catch_up()
        self._forgotten = len(self._records)

    def _catch_up(self) -> None:
        for index in self._reader.read():
            record = self._kind(**_fields(self._reader.entries[index]))
            if index < len(self._records):
                self._records[index] = record
            else:
                self._records.append(record)


def _fields(entry: Entry) -> Entry:
    lists: tuple[str, ...] = ("mistakes", "recipients")
    make: Callable[[Any], Any] = tuple
    return {name: make(value) if name in lists else value for name, value in entry.items()}
