"""WebSocket clients without a network: they exchange ASGI messages with the application."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self

import msgspec

from chatsite.asgi import application
from realtime.fanout import sweep
from realtime.fanout.door import door
from realtime.fanout.hub import hub
from realtime.socket import handshake
from tests.waiting import until

ANSWERS = {"websocket.http.response": {}}


class Caller:
    """One connection. `async with Caller(application, token=...)` requests the upgrade and disconnects at the end."""

    def __init__(
        self,
        application: Any,
        *,
        path: str = "/ws",
        token: str | None = None,
        headers: dict[str, str] | None = None,
        extensions: dict[str, Any] = ANSWERS,
    ) -> None:
        given = {"authorization": f"Bearer {token}"} if token else {}
        self.received: list[dict[str, Any]] = []
        self.broken = False
        self._application = application
        self._scope = {
            "type": "websocket",
            "path": path,
            "headers": [(name.encode(), value.encode()) for name, value in (given | (headers or {})).items()],
            "client": ("192.0.2.1", 50_000),
            "extensions": extensions,
        }
        self._to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._reads = asyncio.Event()
        self._reads.set()

    async def __aenter__(self) -> Self:
        self.serving = asyncio.ensure_future(self._application(self._scope, self._to_server.get, self._hear))
        self.says_raw({"type": "websocket.connect"})
        return self

    async def __aexit__(self, *_: object) -> None:
        self.hangs_up()
        await self.ended()

    def says_raw(self, message: dict[str, Any]) -> None:
        self._to_server.put_nowait(message)

    def says(self, text: str) -> None:
        self.says_raw({"type": "websocket.receive", "text": text})

    def hangs_up(self) -> None:
        self.says_raw({"type": "websocket.disconnect", "code": 1006})

    def stops_reading(self) -> None:
        self._reads.clear()

    async def hears(self, type: str) -> dict[str, Any]:
        """Wait for a frame of this type."""
        await until(lambda: type in [frame["type"] for frame in self.frames])
        return next(frame for frame in self.frames if frame["type"] == type)

    async def is_closed(self) -> int | None:
        """Wait for the close; return its code."""
        await until(lambda: self.close_code is not None)
        return self.close_code

    async def is_denied(self) -> int:
        """Wait for an answer instead of an upgrade; return its status."""
        await self.ended()
        [start, body] = self.received
        assert (start["type"], body["type"]) == ("websocket.http.response.start", "websocket.http.response.body")
        return int(start["status"])

    @property
    def retry_after(self) -> int:
        """Seconds to wait according to the answer that refused the upgrade."""
        return int(dict(self.received[0]["headers"])[b"retry-after"])

    async def ended(self) -> None:
        """Wait until the server is done with the connection."""
        async with asyncio.timeout(5):
            await asyncio.wait([self.serving])

    @property
    def frames(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(each["text"]) for each in self.received if each["type"] == "websocket.send"]

    @property
    def close_code(self) -> int | None:
        return next((each["code"] for each in self.received if each["type"] == "websocket.close"), None)

    async def _hear(self, message: dict[str, Any]) -> None:
        await self._reads.wait()
        if self.broken:
            raise OSError("the client is gone")
        self.received.append(message)


Calls = Callable[..., Caller]


@asynccontextmanager
async def callers() -> AsyncIterator[Calls]:
    """Open connections to this process as to a server; at the end, check that it keeps nothing of them."""
    yield partial(Caller, application)
    assert hub.users == {}, "every socket was detached"
    assert not handshake._unsigned
    for task in sweep._tasks.pop(asyncio.get_running_loop(), []):
        task.cancel()
    if door._receiver is not None:
        door._receiver.cancel()
    door._loop = None
