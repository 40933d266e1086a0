"""The interface of a server under test."""

from __future__ import annotations

from typing import Any, Protocol

from benchmarks.clients import Client

Places = list[list[Any]]  # one list of people per conversation; each subject has its own type of a place


class Subject(Protocol):
    """A server with its stores and people."""

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name, of the processes to measure; "server" is the one that clients connect to."""

    @property
    def server_pid(self) -> int | None:
        """The server's process id; None if it is not known."""

    def start(self) -> None:
        """Start the stores."""

    def populate(self, wanted: dict[str, list[int]]) -> dict[str, Places]:
        """Create people and conversations: for each workload, conversations of these sizes."""

    def fresh_server(self) -> None:
        """Start a new server process, so that no workload uses the heap of another."""

    async def connect(self, place: Any, faults: list[str]) -> Client:
        """Return the client of this person, signed in and in the conversation."""

    def assert_clean_log(self) -> None:
        """Check that the server logged no error.

        :raises Invalid: it did.
        """

    def stop(self) -> None:
        """End everything that was started here."""
