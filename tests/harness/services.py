"""A PostgreSQL and a Redis that belong to one test run and to nobody else.

They listen on loopback, on free ports, with their files in temporary folders. Whatever runs
on the machine already is neither used nor touched.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

import psycopg
from psycopg import sql

from tests.harness import binaries
from tests.harness.processes import Program, free_port, temporary_folder

PROJECT = Path(__file__).resolve().parents[2]


def _settings_of_the_product() -> frozenset[str]:
    """Return the variables that the product reads: where it works, and what it permits."""
    source = "".join(file.read_text() for file in (PROJECT / "chatsite").rglob("*.py"))
    read = re.findall(r"env(?:iron)?(?:\.\w+\(|\[)\s*\"([A-Z_]+)\"", source)
    return frozenset(read) | {"DJANGO_SETTINGS_MODULE"}


# None of them may leak from the developer's shell or `.env` into a test.
SETTINGS = _settings_of_the_product()


class DidNotStart(Exception):
    """A service ended or stayed silent instead of answering; the text is its log."""


def bare_environment() -> dict[str, str]:
    """Return this process's environment without any setting of the product."""
    return {name: value for name, value in os.environ.items() if name not in SETTINGS}


class PostgreSQL:
    """A PostgreSQL cluster with the durability that the product demands (fsync and all)."""

    user = "chatsite"

    def __init__(self, *, folder: Path | None = None, settings: str = "") -> None:
        # PostgreSQL refuses to run as root, and its account may not be able to enter root's TMPDIR.
        self._account = _unprivileged_account() if os.geteuid() == 0 else None
        self.folder = folder or temporary_folder("postgresql", within="/tmp" if self._account else None)  # noqa: S108
        self._settings = settings  # lines for postgresql.conf
        self.password = token_hex(16)
        self.port = 0
        self._program: Program | None = None

    def start(self) -> None:
        """Create the cluster if there is none yet, start it and wait until it answers."""
        if not (self.folder / "data").exists():
            self._create()
        for _ in range(5):  # somebody may take the port between its choice and its use
            self.port = self.port or free_port()
            self._program = Program(
                [binaries.postgresql(), "-D", self.folder / "data", "-p", str(self.port)],
                log=self.folder / "log",
                folder=self.folder,
                user=self._account,
            )
            self._program.start()
            if _answers(self._program, self._accepts, patience=30):
                return
            self.port = 0
        raise DidNotStart((self.folder / "log").read_text())

    def stop(self) -> None:
        """Stop without waiting for clients (a fast shutdown)."""
        if self._program is not None and self._program.running:
            self._program.stop(signal.SIGINT, patience=20)

    @property
    def program(self) -> Program:
        """The running server, for signals."""
        assert self._program is not None, "not started"
        return self._program

    def url(self, database: str) -> str:
        """Return the address of a database as DATABASE_URL wants it."""
        return f"postgresql://{self.user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        """Open a connection in autocommit mode."""
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=5)

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database as a copy of another, and return its address."""
        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and every connection to it."""
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _create(self) -> None:
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        group: int | None = None
        if self._account:
            import pwd

            entry = pwd.getpwnam(self._account)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            os.chown(password_file, entry.pw_uid, entry.pw_gid)
            group = entry.pw_gid
        done = subprocess.run(
            [
                binaries.postgresql("initdb"), "-D", self.folder / "data", "-U", self.user,
                "-A", "scram-sha-256", f"--pwfile={password_file}", "-E", "UTF8", f"--locale={_utf8_locale()}",
                "--no-sync",
            ],
            cwd=self.folder, capture_output=True, text=True, check=False,
            user=self._account, group=group, extra_groups=[] if self._account else None,
        )  # fmt: skip
        if done.returncode:
            raise DidNotStart(done.stdout + done.stderr)
        with (self.folder / "data" / "postgresql.conf").open("a") as settings:
            settings.write(
                "listen_addresses = '127.0.0.1'\n"
                "unix_socket_directories = ''\n"
                "max_connections = 300\n"
                "fsync = on\n"
                "synchronous_commit = on\n"
                "full_page_writes = on\n"
                "log_min_messages = warning\n" + self._settings
            )

    def accepts_within(self, patience: float) -> bool:
        """Wait until it answers again by itself, as after a crash of one of its processes; return whether it does."""
        return _answers(self.program, self._accepts, patience=patience)

    def _accepts(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


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
            if _answers(self._program, self._is_there, patience=10):
                return
        raise DidNotStart((self.folder / "log").read_text())

    @property
    def program(self) -> Program:
        """The running server, for signals: freeze() makes it hang, thaw() lets it go on."""
        assert self._program is not None, "not started"
        return self._program

    def stop(self) -> None:
        """Stop it; everything it held is gone."""
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
            # By its process id, lest another Redis on that port is taken for ours.
            return f"process_id:{self.program.pid}\r".encode() in self._says(b"INFO server\r\n")
        except OSError:
            return False

    def _says(self, command: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(command)
            return connection.recv(4096)


class Services:
    """The PostgreSQL and the Redis of one test run."""

    template = "chatsite_template"

    def __init__(self, postgresql: PostgreSQL | None = None) -> None:
        self.postgresql = postgresql or PostgreSQL()
        self.redis = Redis()
        self._template_exists = False
        self._databases = 0

    def start(self) -> None:
        """Start both, and create the database `chatsite`."""
        self.postgresql.start()
        self.redis.start()
        self.postgresql.create_database("chatsite")

    def stop(self) -> None:
        """Stop both."""
        self.redis.stop()
        self.postgresql.stop()

    def environment(self) -> dict[str, str]:
        """Return the settings under which the product works on these services."""
        return production_environment(self.postgresql.url("chatsite"), self.redis)

    def fresh_database(self) -> str:
        """Create a migrated, empty database and return its address; the first call migrates."""
        if not self._template_exists:
            address = self.postgresql.create_database(self.template)
            migrate(production_environment(address, self.redis))
            self._template_exists = True
        self._databases += 1
        return self.postgresql.create_database(f"chatsite_{self._databases}", template=self.template)


def production_environment(database_url: str, redis: Redis) -> dict[str, str]:
    """Return the settings of the production profile on the given stores, and no others."""
    return {
        "CHATSITE_PROFILE": "production",
        "CHATSITE_TESTING": "1",
        "SECRET_KEY": token_hex(32),
        "ALLOWED_HOSTS": "127.0.0.1,localhost,testserver",
        "ALLOWED_ORIGINS": "https://chat.example.org",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis.url(0),
        "CELERY_BROKER_URL": redis.url(1),
        "CHATSITE_LIMITS": "{}",
        "CHATSITE_CRASH_POINT": "",
        "DEBUG": "false",
        "DATA_DIR": str(redis.folder),
    }


def manage(arguments: list[str], environment: dict[str, str], *, patience: float = 60) -> str:
    """Run a management command under exactly these settings and return what it printed.

    :raises RuntimeError: it failed; the text is its output.
    """
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=bare_environment() | environment,
        capture_output=True,
        text=True,
        timeout=patience,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"manage.py {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def migrate(environment: dict[str, str]) -> None:
    """Bring the database of these settings to the newest schema."""
    manage(["migrate", "--verbosity", "0"], environment)


def _answers(program: Program, asks: Callable[[], bool], *, patience: float) -> bool:
    until = time.monotonic() + patience
    while time.monotonic() < until and program.running:
        if asks():
            # The port may be somebody else's, and our program about to say so.
            return program.running
        time.sleep(0.02)
    if program.running:
        program.kill()
    return False


def _unprivileged_account() -> str:
    import pwd

    for name in ("postgres", "nobody"):
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise DidNotStart("PostgreSQL does not run as root, and there is no user `postgres` or `nobody`")


def _utf8_locale() -> str:
    listed = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.lower()
    return "C.UTF-8" if "c.utf" in listed else "C"
