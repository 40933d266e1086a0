"""What a workload needs to know of a server under test."""

from __future__ import annotations

from typing import Any, Protocol

from benchmarks.clients import Client

Places = list[list[Any]]  # one list of people per conversation; what a person's place is, is the subject's affair


class Subject(Protocol):
    """A server with its stores, and people in it."""

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name, of what may be watched; "server" is the one that clients talk to."""

    @property
    def server_pid(self) -> int | None:
        """The server's process id; None if it is out of sight."""

    def start(self) -> None:
        """Start the stores."""

    def populate(self, wanted: dict[str, list[int]]) -> dict[str, Places]:
        """Create people and conversations: for each workload, conversations of these sizes."""

    def fresh_server(self) -> None:
        """Start a new server process, so that no workload inherits the heap of another."""

    async def connect(self, place: Any, faults: list[str]) -> Client:
        """Return the client of this person, signed in and in the conversation."""

    def assert_clean_log(self) -> None:
        """Check that the server logged nothing bad.

        :raises Invalid: it did.
        """

    def stop(self) -> None:
        """End everything that was started here."""
