"""prosody with its archives (mod_mam, mod_muc_mam), in PostgreSQL or in its own files.

Its only thread stores a message before it sends it on. In PostgreSQL it waits for the commit. It appends to files
without fsync: they survive a crash of the process, not of the machine.
"""

from __future__ import annotations

from benchmarks.peers.packages import debian
from benchmarks.peers.server import PeerServer
from benchmarks.peers.xmpp import XmppClient, XmppPlace, connect, places
from benchmarks.subject import Places
from tests.harness.processes import Program, free_port

DOMAIN = "localhost"
ROOMS = f"conference.{DOMAIN}"
PASSWORD = "benchmark"  # noqa: S105
# Only the modules that the workloads need, as for ejabberd; no limits, no TLS, plain passwords.
CONFIGURATION = """
run_as_root = true
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {port} }}
modules_enabled = {{ "disco", "roster", "saslauth", "smacks", "mam" }}
modules_disabled = {{ "s2s", "tls", "offline" }}
c2s_require_encryption = false
allow_unencrypted_plain_auth = true
authentication = "internal_plain"
default_archive_policy = true
archive_expires_after = "never"
log = {{ warn = "{folder}/prosody.log" }}
{storage}
VirtualHost "{domain}"
Component "{rooms}" "muc"
    modules_enabled = {{ "muc_mam" }}
    restrict_room_creation = false
    muc_room_locking = false
    muc_room_default_persistent = true
    muc_log_by_default = true
    muc_log_presences = false
"""
SQL = """
storage = {{ archive = "sql", muc_log = "sql" }}
sql = {{
    driver = "PostgreSQL", database = "prosody", host = "127.0.0.1", port = {port},
    username = "{user}", password = "{password}"
}}
"""


class Prosody(PeerServer):
    """prosody of the Debian package, archive in PostgreSQL."""

    title = "prosody, archive in PostgreSQL"
    bad_marks = ("\terror\t",)
    packages = ("prosody", "lua-dbi-postgresql")

    @classmethod
    def versions(cls) -> dict[str, str]:
        return debian(cls.packages, services=["prosody"])

    def configure(self) -> None:
        self._port = free_port()
        (self.folder / "certs").mkdir()  # it reads this folder even if it uses no certificates
        (self.folder / "prosody.cfg.lua").write_text(
            CONFIGURATION.format(
                folder=self.folder, port=self._port, domain=DOMAIN, rooms=ROOMS, storage=self._storage()
            )
        )

    def _storage(self) -> str:
        self.postgresql.create_database("prosody")
        return SQL.format(port=self.postgresql.port, user=self.postgresql.user, password=self.postgresql.password)

    def program(self) -> Program:
        return Program(
            ["prosody", "--config", self.folder / "prosody.cfg.lua", "-F"],
            log=self.folder / "output.log",
            folder=self.folder,
        )

    def populate(self, wanted: dict[str, list[int]]) -> dict[str, Places]:
        people = self.new_people(wanted)
        accounts = self.folder / "data" / DOMAIN / "accounts"
        accounts.mkdir(parents=True, exist_ok=True)
        for name in (name for conversations in people.values() for members in conversations for name in members):
            (accounts / f"{name}.dat").write_text(f'return {{ ["password"] = "{PASSWORD}"; }};\n')
        # The first person who enters creates the room.
        return {
            workload: [places(members, DOMAIN, PASSWORD, f"{members[0]}@{ROOMS}") for members in conversations]
            for workload, conversations in people.items()
        }

    async def connect(self, place: XmppPlace, faults: list[str]) -> XmppClient:
        return await connect(self._port, place, faults)

    @property
    def port(self) -> int:
        return self._port


class ProsodyFiles(Prosody):
    """prosody with its default storage: files, no fsync."""

    title = "prosody, archive in files (no fsync)"
    packages = ("prosody",)
    has_database = False

    def _storage(self) -> str:
        return ""
