"""ejabberd with its archive (mod_mam) in PostgreSQL: the durable peer.

mod_mam writes from hooks, in the process of the session or the room, and continues when PostgreSQL has committed: a
direct message is archived for its sender before it is routed and for its receiver before it is delivered, a message
to a room once before it is sent to anybody.

The node is started without Erlang distribution: no node name, no cookie, no epmd.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from benchmarks.peers.packages import debian
from benchmarks.peers.server import PeerServer
from benchmarks.peers.xmpp import XmppClient, XmppPlace, connect, places
from benchmarks.subject import Places
from tests.harness.processes import Program, free_port

DOMAIN = "localhost"
ROOMS = f"conference.{DOMAIN}"
PASSWORD = "benchmark"  # noqa: S105
SCHEMA = Path("/usr/share/ejabberd/sql/pg.sql")
# Only the modules that the workloads need: others would slow it down (W3 by 12 % with privacy lists and carbon copies).
# No shapers, no TLS, plain passwords (signing in is not measured).
CONFIGURATION = """
hosts: [{domain}]
loglevel: warning
log_rotate_count: 0
listen:
  - {{port: {port}, ip: "127.0.0.1", module: ejabberd_c2s, shaper: none, access: all, starttls: false, backlog: 1024}}
auth_method: [sql]
auth_password_format: plain
default_db: sql
sql_type: pgsql
sql_server: "127.0.0.1"
sql_port: {database_port}
sql_database: ejabberd
sql_username: {database_user}
sql_password: "{database_password}"
s2s_access: none
modules:
  mod_disco: {{}}
  mod_mam: {{default: always, assume_mam_usage: true}}
  mod_muc:
    host: {rooms}
    max_users: 1000
    user_message_shaper: none
    room_shaper: none
    default_room_options: {{mam: true, persistent: true, public: true, max_users: 1000}}
  mod_roster: {{versioning: true}}
  mod_stream_mgmt: {{}}
"""


class Ejabberd(PeerServer):
    """ejabberd of the Debian package, archive in PostgreSQL."""

    title = "ejabberd, archive in PostgreSQL"
    bad_marks = ("[error]", "[critical]")
    flags: tuple[str, ...] = ()  # of the Erlang virtual machine
    pairs_in_rooms = False

    @classmethod
    def versions(cls) -> dict[str, str]:
        return debian(["ejabberd", "erlang-p1-pgsql", "erlang-base"], services=["ejabberd"])

    def configure(self) -> None:
        self._port = free_port()
        self.postgresql.create_database("ejabberd")
        with self.postgresql.connect("ejabberd") as connection:
            connection.execute(SCHEMA.read_text())
        self._configuration = self.folder / "ejabberd.yml"
        self._configuration.write_text(
            CONFIGURATION.format(
                domain=DOMAIN,
                port=self._port,
                database_port=self.postgresql.port,
                database_user=self.postgresql.user,
                database_password=self.postgresql.password,
                rooms=ROOMS,
            )
        )

    def program(self) -> Program:
        spool = self.folder / "spool"
        environment = os.environ | {
            "EJABBERD_CONFIG_PATH": str(self._configuration),
            "EJABBERD_LOG_PATH": str(self.folder / "ejabberd.log"),
            "ERL_CRASH_DUMP": str(self.folder / "erl_crash.dump"),
            "ERL_LIBS": str(_libraries()),
            "HOME": str(self.folder),
        }
        # As in ejabberdctl: kernel polling, and a high limit of processes.
        return Program(
            [
                "erl", "-noinput", "+K", "true", "+P", "250000", "+Q", "65536", *self.flags,
                "-mnesia", "dir", f'"{spool}"', "-s", "ejabberd",
            ],
            log=self.folder / "output.log",
            environment=environment,
            folder=self.folder,
        )  # fmt: skip

    def populate(self, wanted: dict[str, list[int]]) -> dict[str, Places]:
        people = self.new_people(wanted)
        names = [name for conversations in people.values() for members in conversations for name in members]
        with self.postgresql.connect("ejabberd") as connection, connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO users (username, password) VALUES (%s, %s)", [(name, PASSWORD) for name in names]
            )
        # The first person who enters creates the room.
        return {
            workload: [
                places(members, DOMAIN, PASSWORD, f"{members[0]}@{ROOMS}", always_room=self.pairs_in_rooms)
                for members in conversations
            ]
            for workload, conversations in people.items()
        }

    async def connect(self, place: XmppPlace, faults: list[str]) -> XmppClient:
        return await connect(self._port, place, faults)

    @property
    def port(self) -> int:
        return self._port


class EjabberdAtItsBest(Ejabberd):
    """A configuration that is faster here, but suggested neither by its documentation nor by its package.

    Erlang's schedulers do not spin while they wait, which leaves the cores to PostgreSQL. Two people use a room
    of their own, where a message is archived once instead of twice.
    """

    title = "ejabberd, no busy waiting, pairs in rooms"
    flags = ("+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none")
    pairs_in_rooms = True


def _libraries() -> Path:
    """Return the folder of ejabberd's Erlang library."""
    found = subprocess.run(["dpkg", "-L", "ejabberd"], capture_output=True, text=True, check=True).stdout
    application = next(line for line in found.splitlines() if line.endswith("/ebin/ejabberd.app"))
    return Path(application).parents[2]
