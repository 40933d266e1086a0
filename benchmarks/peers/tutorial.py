"""The chat of Channels' tutorial (`tutorial_chat`) as a peer, and its client.

It uses the same libraries as Chatsite, in the same versions; only the architecture differs. A message is stored before
it is sent to the group, and the sender's own copy is its acknowledgement.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import version

from benchmarks.clients import TEXT, Client, Invalid, clock
from benchmarks.peers.server import PeerServer
from benchmarks.subject import Places
from benchmarks.websocket import WebSocket
from tests.harness.processes import Program, free_port
from tests.harness.product import PROJECT, bare_environment
from tests.harness.redis import Redis

_BEFORE, _AFTER = b'{"message": "', f' {TEXT}"}}'.encode()


@dataclass(frozen=True, slots=True)
class TutorialPlace:
    """A person's session and the room that a workload gives them."""

    session_key: str
    room: str


class TutorialClient(WebSocket, Client):
    """One socket in one room."""

    def __init__(self, host: str, place: TutorialPlace, faults: list[str]) -> None:
        Client.__init__(self, faults)
        headers = {"Cookie": f"sessionid={place.session_key}", "Origin": f"http://{host}"}
        WebSocket.__init__(self, host, f"/ws/chat/{place.room}/", headers)
        self._previous = ""  # the newest identifier received

    def send_message(self, message_id: str) -> None:
        self.send_text(_BEFORE + message_id.encode() + _AFTER)

    def on_text(self, payload: bytes) -> None:
        now = clock()
        if not (payload.startswith(_BEFORE) and payload.endswith(_AFTER)):
            self.faults.append("a message came with another text")
            return
        message_id = payload[len(_BEFORE) : -len(_AFTER)].decode()
        if message_id <= self._previous:  # identifiers grow, and a room has one sender
            self.faults.append(f"{message_id} came after {self._previous}")
        self._previous = message_id
        self.take_message(message_id, now)
        self.take_ack(message_id, now)

    def on_close(self) -> None:
        if not self.leaving:
            self.faults.append(f"a socket was closed with {self.close_code}")


class TutorialDaphne(PeerServer):
    """The tutorial unchanged: daphne and the channel layer with Redis lists."""

    title = "Channels tutorial + ORM, daphne, RedisChannelLayer"
    bad_marks = ("Traceback", "ERROR")
    channel_layer = "channels_redis.core.RedisChannelLayer"
    libraries = ("Django", "channels", "channels-redis", "daphne", "psycopg")

    def __init__(self) -> None:
        super().__init__()
        self._redis = Redis()

    @classmethod
    def versions(cls) -> dict[str, str]:
        return {name: version(name) for name in cls.libraries}

    def configure(self) -> None:
        self._port = free_port()
        self._redis.start()
        self.postgresql.create_database("tutorial")
        self._environment = bare_environment() | {
            "DJANGO_SETTINGS_MODULE": "benchmarks.peers.tutorial_chat.settings",
            "TUTORIAL_CHANNEL_LAYER": self.channel_layer,
            "TUTORIAL_DATABASE_PASSWORD": self.postgresql.password,
            "TUTORIAL_DATABASE_PORT": str(self.postgresql.port),
            "TUTORIAL_DATABASE_USER": self.postgresql.user,
            "TUTORIAL_REDIS_URL": self._redis.url(0),
        }
        self._run("django", "migrate", "--verbosity", "0")

    def program(self) -> Program:
        return Program(
            [sys.executable, "-m", *self.command()],
            log=self.folder / "output.log",
            environment=self._environment,
            folder=PROJECT,
        )

    def command(self) -> list[str]:
        """Return module and arguments of the server."""
        return [
            "daphne", "-v", "0", "-b", "127.0.0.1", "-p", str(self._port),
            "benchmarks.peers.tutorial_chat.asgi:application",
        ]  # fmt: skip

    def populate(self, wanted: dict[str, list[int]]) -> dict[str, Places]:
        people = self.new_people(wanted)
        names = [name for conversations in people.values() for members in conversations for name in members]
        made = self._run("benchmarks.peers.tutorial_chat.population", given=json.dumps(names))
        keys = dict(zip(names, json.loads(made), strict=True))
        return {
            workload: [[TutorialPlace(keys[name], members[0]) for name in members] for members in conversations]
            for workload, conversations in people.items()
        }

    async def connect(self, place: TutorialPlace, faults: list[str]) -> TutorialClient:
        host = f"127.0.0.1:{self._port}"
        _, client = await asyncio.get_running_loop().create_connection(
            lambda: TutorialClient(host, place, faults), "127.0.0.1", self._port
        )
        try:
            await client.opened
        except ConnectionError as error:
            raise Invalid(f"the server refused a socket: {error}") from error
        return client

    def stop(self) -> None:
        super().stop()
        self._redis.stop()

    @property
    def port(self) -> int:
        return self._port

    @property
    def pids(self) -> dict[str, int]:
        return super().pids | {"redis": self._redis.program.pid}

    def _run(self, module: str, *arguments: str, given: str = "") -> str:
        """Run a module of the application, and return its output."""
        done = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=PROJECT, env=self._environment, input=given, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{module} failed:\n{done.stderr[-3000:]}")
        return done.stdout


class TutorialUvicorn(TutorialDaphne):
    """The tutorial with faster parts: uvicorn, and the channel layer with Redis publish/subscribe."""

    title = "Channels tutorial + ORM, uvicorn, RedisPubSubChannelLayer"
    channel_layer = "channels_redis.pubsub.RedisPubSubChannelLayer"
    libraries = ("Django", "channels", "channels-redis", "uvicorn", "uvloop", "websockets", "psycopg")

    def command(self) -> list[str]:
        return [
            "uvicorn", "--host", "127.0.0.1", "--port", str(self._port), "--log-level", "warning",
            "benchmarks.peers.tutorial_chat.asgi:application",
        ]  # fmt: skip
