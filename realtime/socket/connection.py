"""One WebSocket connection as ASGI gives it: frames in, goodbyes out. Who it is and what it says, others know."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import Any, cast

from django.conf import settings

from realtime.fanout import sockets
from realtime.fanout.sockets import Send
from realtime.wire import bodies
from realtime.wire.errors import DomainError
from realtime.wire.frames import error_frame
from realtime.wire.wire_frame import WireFrame

# How long a client may take to answer a close, and to read what is still on its way to it.
CLOSE_SECONDS = 5
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Refused(Exception):
    """The connection ends here, with this close code."""

    def __init__(self, code: int, error: DomainError | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.error = error


class Gone(Exception):
    """The connection has ended, with this close code: by the client, or for frames that are none."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Connection:
    """One connection from upgrade to close."""

    __slots__ = ("_headers", "auth_id", "counted_as", "receive", "scope", "send")

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        # The `id` of the auth frame, for the answer to it.
        self.auth_id: str | None = None
        # Whose attempts to connect this one was counted among.
        self.counted_as: str | None = None

    # --- The request ----------------------------------------------------------------------

    def header(self, name: bytes) -> str:
        """Return a header of the request, empty when there is none."""
        return self._headers.get(name, b"").decode("latin-1")

    def address(self) -> str:
        """Return the address that the client connects from."""
        client = self.scope.get("client")
        return client[0] if client else ""

    def forget_headers(self) -> None:
        """Let go of what was only needed to find out who asks: two KiB for as long as the connection lives."""
        self._headers.clear()
        self.scope["headers"].clear()

    # --- Frames in ------------------------------------------------------------------------

    async def next_text(self) -> str:
        """Return the next text frame.

        :raises Gone: the client left.
        :raises Refused: the frame is binary or too large.
        """
        message = await self.receive()
        if message["type"] == "websocket.disconnect":
            raise Gone(message.get("code", 1005))
        text = message.get("text")
        if text is None:
            raise Refused(sockets.UNSUPPORTED_DATA)
        limit = settings.LIMITS.frame_bytes
        if len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
            raise Refused(sockets.TOO_BIG)
        return str(text)

    # --- Answers and the end --------------------------------------------------------------

    async def accept(self) -> None:
        """Accept the upgrade."""
        await self.send({"type": "websocket.accept"})

    async def deny(self, status: int, *, retry_after: float | None = None) -> None:
        """Answer the upgrade with a plain HTTP status, where the server can; `retry_after` is in seconds."""
        if "websocket.http.response" in self.scope.get("extensions", {}):
            headers = [] if retry_after is None else [(b"retry-after", b"%d" % math.ceil(retry_after))]
            await self.send({"type": "websocket.http.response.start", "status": status, "headers": headers})
            await self.send({"type": "websocket.http.response.body", "body": b""})
        else:
            await self.send({"type": "websocket.close"})

    async def close_unsigned(self, refusal: Refused) -> None:
        """End a connection that nobody signed in on, and say why."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._say_why(refusal)
        except Exception:  # noqa: BLE001 - the client left meanwhile, or reads nothing
            return
        await self.until_gone()

    async def _say_why(self, refusal: Refused) -> None:
        if refusal.error is not None:
            frame = bodies.encode(error_frame(refusal.error.body(), id=self.auth_id))
            await self.send(WireFrame(frame).message)
        await self.send({"type": "websocket.close", "code": refusal.code})

    async def until_gone(self) -> None:
        """Read on until the client has answered the close, so that the close code reaches it."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while (await self.receive())["type"] != "websocket.disconnect":
                    pass
        except TimeoutError:
            pass

    def abort_function(self) -> Callable[[], object]:
        """Return how to cut this connection when even a close frame cannot be written."""
        transport = getattr(getattr(self.send, "__self__", None), "transport", None)
        if transport is not None:
            return cast(Callable[[], object], transport.abort)
        task = asyncio.current_task()
        assert task is not None
        return task.cancel
