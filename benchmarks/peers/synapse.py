"""Synapse on PostgreSQL, one process.

An event is stored before the request that sends it is answered, and before `/sync` returns it.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from psycopg import sql

from benchmarks.peers.matrix import MatrixClient, MatrixPlace
from benchmarks.peers.packages import python_environment, python_version
from benchmarks.peers.server import PeerServer
from benchmarks.subject import Places
from tests.harness.processes import Program, free_port

DOMAIN = "localhost"
DATABASE = "synapse"
JOINING_AT_ONCE = 4
# As its documentation recommends for load: PostgreSQL with the C locale, presence off. And no rate limits.
_ROOM = {"per_second": 1_000_000, "burst_count": 1_000_000}


class Synapse(PeerServer):
    """Synapse from the Python Package Index, in an environment of its own."""

    title = "Synapse, PostgreSQL"
    bad_marks = (" - ERROR - ", " - CRITICAL - ")

    @classmethod
    def versions(cls) -> dict[str, str]:
        python = python_environment("synapse")
        return {name: python_version(python, name) for name in ("matrix-synapse", "Twisted", "psycopg2-binary")}

    def configure(self) -> None:
        self._port = free_port()
        self._host = f"127.0.0.1:{self._port}"
        with self.postgresql.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'").format(
                    sql.Identifier(DATABASE)
                )
            )
        self._write("logging.yaml", self._logging())
        self._write("homeserver.yaml", self._settings())
        subprocess.run([*self._command(), "--generate-keys"], check=True, capture_output=True, cwd=self.folder)

    def program(self) -> Program:
        return Program(self._command(), log=self.folder / "output.log", folder=self.folder)

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self._host}/health", timeout=2) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def populate(self, wanted: dict[str, list[int]]) -> dict[str, Places]:
        """Create people in the database, rooms by the API.

        Idle people (w4) are in no room: a thousand rooms would take many minutes.
        """
        self.fresh_server()  # it makes the tables
        people = self.new_people(wanted)
        names = [name for conversations in people.values() for members in conversations for name in members]
        tokens = self._people(names)
        return {
            workload: [
                [
                    MatrixPlace(tokens[name], room_id)
                    for room_id in [self._room([tokens[name] for name in members]) if workload != "w4" else ""]
                    for name in members
                ]
                for members in conversations
            ]
            for workload, conversations in people.items()
        }

    async def connect(self, place: MatrixPlace, faults: list[str]) -> MatrixClient:
        client = MatrixClient(self._host, place, faults)
        await client.connect("127.0.0.1", self._port, sends=bool(place.room_id))
        return client

    @property
    def port(self) -> int:
        return self._port

    # --- People and rooms -----------------------------------------------------------------------

    def _people(self, names: list[str]) -> dict[str, str]:
        """Create people with one device each; return their tokens by name."""
        tokens = {name: f"syt_{name}_{secrets.token_hex(10)}" for name in names}
        now = int(time.time())
        with self.postgresql.connect(DATABASE) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT coalesce(max(id), 0) FROM access_tokens")
            first = int(str((cursor.fetchone() or (0,))[0])) + 1
            rows = [
                {"id": number, "name": name, "user_id": f"@{name}:{DOMAIN}", "token": tokens[name], "now": now}
                for number, name in enumerate(names, start=first)
            ]
            for statement in _NEW_PERSON:
                cursor.executemany(statement, rows)
        return tokens

    def _room(self, tokens: list[str]) -> str:
        """Create a room of these people; return its identifier."""
        made = self._asks("POST", "/_matrix/client/v3/createRoom", tokens[0], {"preset": "public_chat"})
        room_id: str = made["room_id"]
        with ThreadPoolExecutor(JOINING_AT_ONCE) as pool:
            list(
                pool.map(lambda token: self._asks("POST", f"/_matrix/client/v3/join/{room_id}", token, {}), tokens[1:])
            )
        return room_id

    def _asks(self, method: str, path: str, token: str, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            f"http://{self._host}{path}",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)

    # --- Configuration ----------------------------------------------------------------------------

    def _command(self) -> list[str]:
        return [str(python_environment("synapse")), "-m", "synapse.app.homeserver", "-c", "homeserver.yaml"]

    def _settings(self) -> dict[str, Any]:
        return {
            "server_name": DOMAIN,
            "pid_file": str(self.folder / "synapse.pid"),
            "listeners": [
                {
                    "port": self._port,
                    "bind_addresses": ["127.0.0.1"],
                    "type": "http",
                    "tls": False,
                    "resources": [{"names": ["client", "health"], "compress": False}],
                }
            ],
            "database": {
                "name": "psycopg2",
                "args": {
                    "host": "127.0.0.1",
                    "port": self.postgresql.port,
                    "dbname": DATABASE,
                    "user": self.postgresql.user,
                    "password": self.postgresql.password,
                    "cp_min": 5,
                    "cp_max": 10,
                },
            },
            "log_config": str(self.folder / "logging.yaml"),
            "media_store_path": str(self.folder / "media"),
            "signing_key_path": str(self.folder / "signing.key"),
            "macaroon_secret_key": secrets.token_hex(16),
            "form_secret": secrets.token_hex(16),
            "report_stats": False,
            "suppress_key_server_warning": True,
            "trusted_key_servers": [],
            "federation_domain_whitelist": [],
            "presence": {"enabled": False},
            "rc_message": _ROOM,
            "rc_joins": {"local": _ROOM, "remote": _ROOM},
            "rc_joins_per_room": _ROOM,
            "rc_room_creation": _ROOM,
        }

    def _logging(self) -> dict[str, Any]:
        return {
            "version": 1,
            "formatters": {"usual": {"format": "%(asctime)s - %(name)s - %(levelname)s - %(message)s"}},
            "handlers": {
                "file": {
                    "class": "logging.FileHandler",
                    "filename": str(self.folder / "homeserver.log"),
                    "formatter": "usual",
                }
            },
            "root": {"level": "WARNING", "handlers": ["file"]},
        }

    def _write(self, name: str, content: dict[str, Any]) -> None:
        (self.folder / name).write_text(json.dumps(content))  # JSON is YAML


# The rows that registering would write.
_NEW_PERSON = (
    "INSERT INTO users (name, creation_ts) VALUES (%(user_id)s, %(now)s)",
    "INSERT INTO profiles (user_id, full_user_id, displayname) VALUES (%(name)s, %(user_id)s, %(name)s)",
    "INSERT INTO devices (user_id, device_id, display_name) VALUES (%(user_id)s, 'BENCHMARK', 'benchmark')",
    "INSERT INTO access_tokens (id, user_id, device_id, token) VALUES (%(id)s, %(user_id)s, 'BENCHMARK', %(token)s)",
)
