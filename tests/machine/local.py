"""The server in this process: its ASGI application, without network sockets.

A `LocalDevice` is a device as any other of the harness. Its requests go through Django's handler and its frames
through the product's consumer, hub and lanes; it receives the texts that a network connection would carry. Only the
connection is replaced, which makes a step about five times faster.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from secrets import token_hex
from types import SimpleNamespace
from typing import Any, cast

from django.db import connections
from django.test import Client

from accounts.models import User
from accounts.services import open_session
from chatsite.asgi import application
from messaging import submit
from realtime.fanout import sweep
from realtime.fanout.door import door
from realtime.writes.pipelined_lane import PipelinedLane
from tests.harness.device import Device, Person

# Requests run one after the other on one thread with one database connection, as the steps of the machine do.
_requests = ThreadPoolExecutor(1, thread_name_prefix="requests")


async def in_request_thread(work: Callable[..., Any], *args: Any) -> Any:
    """Run work that uses the database outside of the event loop."""
    return await asyncio.get_running_loop().run_in_executor(_requests, work, *args)


def close_connections() -> None:
    """Close the database connection of the request thread."""
    _requests.submit(connections.close_all).result(10)


class Wire:
    """One WebSocket connection to the application: the part of a client connection that a `Device` uses."""

    def __init__(self, token: str) -> None:
        self.close_code: int | None = None
        self.transport = SimpleNamespace(abort=self._hang_up)
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._to_client: asyncio.Queue[str | None] = asyncio.Queue()
        self._to_server.put_nowait({"type": "websocket.connect"})
        scope = {
            "type": "websocket",
            "path": "/ws",
            "root_path": "",
            "headers": [(b"host", b"testserver"), (b"authorization", f"Bearer {token}".encode())],
            "client": ("127.0.0.1", 1),
        }
        self._served = asyncio.ensure_future(application(scope, self._to_server.get, self._take))

    async def send(self, data: str, *, text: bool | None = None) -> None:
        """Send a text frame to the server; the machine sends no others."""
        self._to_server.put_nowait({"type": "websocket.receive", "text": data})

    async def close(self) -> None:
        """Hang up, and wait until the server has ended the connection."""
        self._hang_up()
        await self._served

    async def __aiter__(self) -> AsyncIterator[str]:
        while (text := await self._to_client.get()) is not None:
            yield text

    def _hang_up(self) -> None:
        self._to_server.put_nowait({"type": "websocket.disconnect", "code": 1006})
        self._to_client.put_nowait(None)

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.send":
            self._to_client.put_nowait(message["text"])
        elif message["type"] == "websocket.close":
            self.close_code = message["code"]
            self._hang_up()


class LocalDevice(Device):
    """A device whose server is this process."""

    def __init__(self, person: Person, name: str, token: str, session_id: str) -> None:
        site = SimpleNamespace(recent_logs=lambda: "")
        super().__init__(person, name, token, cast(Any, None), cast(Any, site))
        self.session_id = session_id
        self._client = Client(headers={"Authorization": f"Bearer {token}"})

    async def request(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None
    ) -> tuple[int, Any]:
        return await in_request_thread(self._request, method, path, body, query or {})

    def _request(self, method: str, path: str, body: Any, query: Mapping[str, Any]) -> tuple[int, Any]:
        given = {name: value for name, value in query.items() if value is not None}
        ask = getattr(self._client, method.lower())
        content = {} if body is None else {"data": body, "content_type": "application/json"}
        answer = ask(f"/api/v1{path}", query_params=given, **content)
        return answer.status_code, (answer.json() if answer.content else None)

    async def opens_socket(self, **_: Any) -> None:
        await self.disconnects()
        self._heard, self._taken, self.close_code = [], set(), None
        self._socket = cast(Any, Wire(self.token))
        self._reader = asyncio.create_task(self._reads(self._socket))


async def sign_up(name: str) -> Person:
    """Make an account."""
    username = f"{name}-{token_hex(4)}"
    user = await in_request_thread(lambda: User.objects.create(username=username, display_name=name, password="!"))
    return Person(name, username, str(user.id))


async def sign_in(person: Person, name: str) -> LocalDevice:
    """Open a device session."""
    opened = await in_request_thread(lambda: open_session(user=User.objects.get(id=person.id), device_name=name))
    return LocalDevice(person, name, opened.token, str(opened.session.id))


async def stop_server() -> None:
    """End the background tasks of a server process, so that the next test starts without them."""
    for task in sweep._tasks.pop(asyncio.get_running_loop()):
        task.cancel()
    await door.drained()
    assert isinstance(submit.sends, PipelinedLane)
    submit.sends.close()
    assert door._receiver is not None
    door._receiver.cancel()
    door._loop = None
