"""A PostgreSQL that belongs to one test run, on loopback and a free port, with its files in a temporary folder."""

import os
import signal
import subprocess
from pathlib import Path
from secrets import token_hex

import psycopg
from psycopg import sql

from tests.harness import binaries
from tests.harness.processes import DidNotStart, Program, answers, free_port, temporary_folder
from tests.waiting import DEADLINE


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
            if answers(self._program, self._accepts, timeout=DEADLINE):
                return
            self.port = 0
        raise DidNotStart((self.folder / "log").read_text())

    def stop(self) -> None:
        """Stop without waiting for clients (a fast shutdown)."""
        if self._program is not None and self._program.running:
            self._program.stop(signal.SIGINT, timeout=DEADLINE)

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
        return psycopg.connect(self.url(database), autocommit=True, connect_timeout=int(DEADLINE))

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

    def accepts_within(self, timeout: float) -> bool:
        """Wait until it answers again by itself, as after a crash of one of its processes; return whether it does."""
        return answers(self.program, self._accepts, timeout=timeout)

    def _accepts(self) -> bool:
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return False
        return True


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
