"""Real server processes: started, watched, killed, and their logs read for tracebacks."""

import json
import os
import re
import shutil
import signal
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import Any, Literal

from tests.harness.preloaded import Management
from tests.harness.processes import DidNotStart, Program, free_port, temporary_folder
from tests.harness.product import bare_environment, migrate, production_environment
from tests.harness.redis import Redis
from tests.harness.services import Services
from tests.waiting import DEADLINE

Profile = Literal["embedded", "production"]
PROFILES: tuple[Profile, ...] = ("embedded", "production")

# Many people of the tests sign up from one address, and connect more often than real ones. All else has the
# product's defaults.
ROOM_FOR_TESTS = {
    "registrations_per_address_per_hour": 1_000_000,
    "logins_per_account": 1_000_000,
    "logins_per_account_everywhere": 1_000_000,
    "logins_per_address": 1_000_000,
    "unsigned_sockets_per_address": 1_000,
    "connects_burst": 1_000_000,
}
# Under `make coverage` a server needs time to write its coverage data.
MEASURED = "COVERAGE_PROCESS_CONFIG" in os.environ
_UNWANTED = re.compile(r"Traceback \(most recent call last\)|never awaited|was never retrieved")


class Server:
    """One `manage.py serve`, of one process or several. A restart takes the same port."""

    def __init__(self, name: str, environment: Mapping[str, str], folder: Path, *, workers: int = 1) -> None:
        self.name = name
        self.workers = workers
        self.port = free_port()
        self.environment = dict(environment)
        self.log_file = folder / f"{name}.log"
        self.log_file.touch()
        self._program: Program | None = None

    def start(self, **settings: str) -> None:
        """Start it and wait until it is ready; `settings` hold for this start only.

        :raises DidNotStart: it ended, or was not ready in time.
        """
        self.launch(**settings)
        self.becomes_ready()

    def launch(self, **settings: str) -> None:
        """Start it and return at once."""
        self._program = Management(
            ["serve", "--port", str(self.port), "--processes", str(self.workers)],
            log=self.log_file,
            environment=bare_environment() | self.environment | settings,
        )
        self._program.start()

    def becomes_ready(self, *, timeout: float = DEADLINE) -> None:
        """Wait until `/health/ready` answers 200.

        :raises DidNotStart: it ended, or was not ready in time.
        """
        until, said = time.monotonic() + timeout, ""
        while time.monotonic() < until and self.program.running:
            status, said = self.health("/health/ready")
            if status == 200 and self.program.running:
                return
            time.sleep(0.02)
        raise DidNotStart(f"{self.name} is not ready: {said}\n{self.log()}")

    def health(self, path: str = "/health") -> tuple[int, str]:
        """Return status and body of a health page; status 0 when nobody answers."""
        try:
            with urllib.request.urlopen(self.http + path, timeout=5) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            return refusal.code, refusal.read().decode()
        except OSError:
            return 0, ""

    @property
    def program(self) -> Program:
        """The running process, for signals."""
        assert self._program is not None, f"{self.name} was not started"
        return self._program

    @property
    def http(self) -> str:
        """The address for REST."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._program is not None and self._program.running

    def terminate(self, *, timeout: float = DEADLINE) -> int:
        """Send SIGTERM, wait for the drain to end, return the exit code."""
        return self.program.stop(signal.SIGTERM, timeout=timeout)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.program.kill()

    def restart(self, **settings: str) -> None:
        """Kill it if it runs, and start it again on the same port."""
        if self.running:
            self.kill()
        self.start(**settings)

    def log(self, since: int = 0) -> str:
        """Return what the process wrote after this position of its log."""
        with self.log_file.open("rb") as file:
            file.seek(since)
            return file.read().decode(errors="replace")

    def resident_megabytes(self) -> float:
        """Return how much memory the process takes now."""
        pages = int(Path(f"/proc/{self.program.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def log_position(self) -> int:
        """Return where the log ends now."""
        return self.log_file.stat().st_size


class Site:
    """One installation: its stores and its server processes.

    `embedded` is one process on SQLite in a folder of its own; `production` is two servers
    sharing a database on the private PostgreSQL and a Redis of their own.
    """

    _embedded_template: Path | None = None

    def __init__(
        self,
        profile: Profile,
        services: Services,
        *,
        servers: int | None = None,
        workers: int = 1,
        limits: Mapping[str, float] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.profile = profile
        self.folder = temporary_folder(profile)
        self.limits = ROOM_FOR_TESTS | dict(limits or {})
        self.redis: Redis | None = None
        self._services = services
        if profile == "production":
            self.redis = Redis()
            self.redis.start()
            self.database_url = services.fresh_database()
            environment = production_environment(self.database_url, self.redis)
        else:
            # The profile's default stores, but explicit: a developer's `.env` may name others.
            environment = {
                "CELERY_BROKER_URL": "memory://localhost/",
                "CHATSITE_CRASH_POINT": "",
                "CHATSITE_PROFILE": "embedded",
                "CHATSITE_TESTING": "1",
                "SECRET_KEY": token_hex(32),
                "DATA_DIR": str(self.folder / "var"),
                "DATABASE_URL": f"sqlite:///{self.folder / 'var' / 'chatsite.sqlite3'}",
                "DEBUG": "false",
                "REDIS_URL": "",
            }
            self._copy_embedded_template(environment)
        environment |= {"CHATSITE_LIMITS": json.dumps(self.limits)} | dict(settings or {})
        self.environment = environment
        count = servers or (2 if profile == "production" else 1)
        assert count == workers == 1 or profile == "production", "the embedded profile is one process"
        names = [f"server-{number}" for number in range(1, count + 1)]
        self.servers = [Server(name, environment, self.folder, workers=workers) for name in names]

    def _copy_embedded_template(self, environment: Mapping[str, str]) -> None:
        if Site._embedded_template is None:
            template = temporary_folder("template") / "var"
            template.mkdir()
            stores = {"DATA_DIR": str(template), "DATABASE_URL": f"sqlite:///{template / 'chatsite.sqlite3'}"}
            migrate({**environment, **stores})
            for file in template.glob("*.sqlite3"):  # fold the write-ahead log into the file
                with sqlite3.connect(file) as database:
                    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                database.close()
            Site._embedded_template = template
        shutil.copytree(Site._embedded_template, environment["DATA_DIR"])

    def start(self) -> None:
        """Start every server and wait until all are ready."""
        for server in self.servers:
            server.launch()
        for server in self.servers:
            server.becomes_ready()

    def stop(self) -> None:
        """Kill the servers and drop the database. SIGKILL must be as safe as any other end."""
        for server in self.servers:
            if server.running:
                server.program.thaw()
                server.terminate() if MEASURED else server.kill()
        if self.redis is not None:
            self.redis.stop()
            self._services.postgresql.drop_database(self.database_url.rsplit("/", 1)[1])
        shutil.rmtree(self.folder, ignore_errors=True)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a statement on the site's database, past the server (`%s` for parameters)."""
        if self.profile == "production":
            with self._services.postgresql.connect(self.database_url.rsplit("/", 1)[1]) as connection:
                return list(connection.execute(query, parameters).fetchall())
        file = Path(self.environment["DATA_DIR"]) / "chatsite.sqlite3"
        database = sqlite3.connect(f"file:{file}?mode=rw", uri=True, timeout=DEADLINE)
        try:
            with database:
                return database.execute(query.replace("%s", "?"), parameters).fetchall()
        finally:
            database.close()

    def stored_id(self, id: str) -> str:
        """Return an id as the site's database has it."""
        return id if self.profile == "production" else id.replace("-", "")

    @contextmanager
    def clean_logs(self) -> Iterator[None]:
        """Fail if a server logs a traceback within the block.

        :raises AssertionError: with the log in question.
        """
        begun = {server.name: server.log_position() for server in self.servers}
        yield
        self.is_free_of_tracebacks(begun)

    def is_free_of_tracebacks(self, since: Mapping[str, int] | None = None) -> None:
        """Assert that no server logged a traceback (after these positions of the logs, if given).

        :raises AssertionError: with the log in question.
        """
        for server in self.servers:
            text = server.log((since or {}).get(server.name, 0))
            assert not _UNWANTED.search(text), f"{server.name} logged:\n{text[-6000:]}"

    def recent_logs(self, size: int = 3000) -> str:
        """Return the ends of the logs, for the text of a failure."""
        return "\n".join(
            f"--- {server.name} ({'runs' if server.running else 'ended'})\n{server.log()[-size:]}"
            for server in self.servers
        )
