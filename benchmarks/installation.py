"""The environment of a run: private PostgreSQL and Redis, one server process, people in it.

Services and server are started as in the tests (`tests.harness`). If the environment names production stores
already (as with `make bench`), those are used; with `--server-url` also the server.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import Any
from urllib.parse import urlsplit

from benchmarks.chatsite_client import ChatsiteClient, Place
from benchmarks.clients import Invalid
from benchmarks.subject import Places
from benchmarks.usage import allow_many_files
from tests.harness.processes import temporary_folder
from tests.harness.product import PROJECT, bare_environment, manage, migrate
from tests.harness.servers import Server
from tests.harness.services import Services

# A benchmark is one long flood, which must not be rate limited.
ROOM = {
    "frames_per_second": 1_000_000,
    "frames_burst": 1_000_000,
    "connects_burst": 1_000_000,
    "messages_per_second": 1_000_000,
    "messages_burst": 1_000_000,
    "logins_per_address": 1_000_000,
    "registrations_per_address_per_hour": 1_000_000,
}


class Installation:
    """The stores and the server process under test."""

    def __init__(self, server_url: str | None = None) -> None:
        allow_many_files()
        self._given_url = server_url
        self._services: Services | None = None
        self._own_database: str | None = None  # in addition to that of `_services`
        self._server: Server | None = None
        self.environment: dict[str, str] = {}

    def start(self) -> None:
        """Start the stores unless the environment names them, and migrate."""
        if os.environ.get("CHATSITE_PROFILE") == "production":
            self.environment = {name: value for name, value in os.environ.items() if name not in bare_environment()}
        else:
            self._services = Services()
            self._services.start()
            self.environment = self._services.environment()
            migrate(self.environment)
        self.environment["CHATSITE_LIMITS"] = json.dumps(ROOM)

    def stop(self) -> None:
        """End everything that was started here."""
        self.stop_server()
        if self._own_database is not None:
            assert self._services is not None
            self._services.postgresql.drop_database(self._own_database)
        elif self._services is not None:
            self._services.stop()

    def beside(self) -> Installation:
        """Return an installation on the same stores with an empty database of its own; `stop` drops that database.

        :raises Invalid: the stores were not started here.
        """
        if self._services is None:
            raise Invalid("this needs databases of its own, and so stores that this run has started")
        other = Installation()
        address = self._services.fresh_database()
        other._services, other._own_database = self._services, address.rpartition("/")[2]
        other.environment = self.environment | {"DATABASE_URL": address}
        return other

    def populate(self, wanted: dict[str, list[int]]) -> dict[str, Places]:
        """Create people and conversations: for each workload, conversations of these sizes."""
        made = self.describes("benchmarks.population", json.dumps(wanted))
        return {workload: self.as_places(conversations) for workload, conversations in made.items()}

    def as_places(self, conversations: list[list[dict[str, Any]]]) -> Places:
        """Return people from their descriptions, as places."""
        return [[Place(**place) for place in people] for people in conversations]

    def describes(self, module: str, *arguments: str) -> Any:
        """Run a program that fills the database, in a process of its own with Django, and return its description.

        :raises RuntimeError: it failed.
        """
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=PROJECT, env=bare_environment() | self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{module} failed:\n{done.stderr}")
        return json.loads(done.stdout)

    def generate_load_data(self, *options: str) -> None:
        """Fill the empty database with `manage.py generate_load_data` and these options."""
        begun = time.monotonic()
        manage(["generate_load_data", "--no-input", *options], self.environment, timeout=3600)
        print(f"generate_load_data {' '.join(options)}: {time.monotonic() - begun:.0f} s", flush=True)

    # --- The server -----------------------------------------------------------------------

    def fresh_server(self, *, processes: int = 1) -> None:
        """Start a new server process (or several on one port), so that no workload uses the heap of another."""
        if self._given_url:
            return
        self.stop_server()
        self._server = Server("bench", self.environment, temporary_folder("bench"), workers=processes)
        self._server.start()

    def stop_server(self) -> None:
        """End the server process, if it was started here."""
        if self._server is not None and self._server.running:
            try:
                self._server.terminate(timeout=5)
            except TimeoutError:
                pass
        self._server = None

    async def connect(self, place: Place, faults: list[str]) -> ChatsiteClient:
        """Open a socket and wait for `connected`."""
        address = urlsplit(self.url)
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: ChatsiteClient(address.netloc, place, faults), address.hostname, address.port or 80
        )
        await client.opened
        await client.connected
        return client

    def assert_clean_log(self) -> None:
        """Check that the server logged no traceback.

        :raises Invalid: it did.
        """
        log = self._server.log() if self._server is not None else ""
        if "Traceback (most recent call last)" in log:
            raise Invalid(f"the server logged a traceback:\n{log[-3000:]}")

    @property
    def url(self) -> str:
        """The URL of the server."""
        return self._given_url or self._running.http

    @property
    def server_pid(self) -> int | None:
        """The server's process id; None for a server that was not started here."""
        return None if self._server is None else self._server.program.pid

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name, of the processes started here."""
        found = {} if self.server_pid is None else {"server": self.server_pid}
        if self._services is not None:
            found |= {"postgresql": self._services.postgresql.program.pid, "redis": self._services.redis.program.pid}
        return found

    @property
    def _running(self) -> Server:
        assert self._server is not None, "no server was started"
        return self._server
