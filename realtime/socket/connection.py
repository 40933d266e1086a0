"""One WebSocket connection as ASGI gives it: its states, frames in, the answer to the upgrade, the close.

Not here: who the client is (`handshake`), what its frames mean (`consumer`), frames out (`realtime.fanout.outbox`).
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, cast

from django.conf import settings

from realtime.fanout.outbox import Send
from realtime.wire import bodies
from realtime.wire.close_codes import CloseCode
from realtime.wire.errors import DomainError
from realtime.wire.frames import error_frame
from realtime.wire.wire_frame import WireFrame

# How long a client may take to answer a close, and to read what is still on its way to it.
CLOSE_SECONDS = 5
# RFC 6455: a close frame without a code, and an end without a close frame.
NO_CODE, NO_CLOSE_FRAME = 1005, 1006
Receive = Callable[[], Awaitable[dict[str, Any]]]


class ConnectionState(Enum):
    """Where a connection is on its way. The order is fixed; CLOSED can follow every other state."""

    UPGRADING = "upgrading"
    UNSIGNED = "unsigned"
    SIGNED_IN = "signed in"
    CLOSED = "closed"


class WrongState(RuntimeError):
    """A mistake of the server: it did something in a state in which that is impossible."""

    def __init__(self, step: str, expected: tuple[ConnectionState, ...], got: ConnectionState) -> None:
        super().__init__(f"{step}: expected {' or '.join(state.value for state in expected)}, got {got.value}")


class WrongMessage(RuntimeError):
    """A mistake of the ASGI server: it gave a message that cannot follow."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(f"expected {expected} or websocket.disconnect, got {got}")


class Refused(Exception):
    """The server ends the connection, with this close code."""

    def __init__(self, code: int, error: DomainError | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.error = error


class Gone(Exception):
    """The connection has ended: the client closed it, its frames were invalid, or the network broke."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class WebSocketConnection:
    """One connection from upgrade to close.

    Every step checks the state and raises `WrongState` when it is another than expected. The step that ends the
    connection enters CLOSED first, so a failure on the way does not end it twice.
    """

    __slots__ = ("_headers", "_receive", "auth_id", "counted_as", "scope", "send", "state")

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        self.scope = scope
        self.state = ConnectionState.UPGRADING
        self._receive = receive
        # ASGI's send: answers the upgrade, later sends the frames of the signed-in socket.
        self.send = send
        self._headers: dict[bytes, bytes] = dict(scope["headers"])
        # The `id` of the auth frame, for the answer to it.
        self.auth_id: str | None = None
        # The key under which this connection attempt was counted.
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
        """Free the headers, which only sign-in needs: two KiB for as long as the connection lives."""
        self._headers.clear()
        self.scope["headers"].clear()

    # --- The states -----------------------------------------------------------------------

    async def request_upgrade(self) -> None:
        """Wait for the request for the upgrade.

        :raises Gone: the client left.
        """
        self._expect("wait for the upgrade", ConnectionState.UPGRADING)
        self._checked(await self._receive(), "websocket.connect")

    async def accept(self) -> None:
        """Accept the upgrade.

        :raises Gone: the client left.
        """
        self._expect("accept", ConnectionState.UPGRADING)
        await self._send_or_gone({"type": "websocket.accept"})
        self.state = ConnectionState.UNSIGNED

    async def deny(self, status: int, *, retry_after: float | None = None) -> None:
        """Answer the upgrade with a plain HTTP status, where the server can; `retry_after` is in seconds.

        :raises Gone: the client left.
        """
        self._enter_closed("deny", ConnectionState.UPGRADING)
        await self._deny(status, retry_after)

    def sign_in(self) -> None:
        """Note that the identity is known."""
        self._expect("sign in", ConnectionState.UNSIGNED)
        self.state = ConnectionState.SIGNED_IN

    async def close_unsigned(self, refusal: Refused) -> None:
        """Close a connection without an identity: send the error, if there is one, and the close code."""
        self._enter_closed("close", ConnectionState.UNSIGNED)
        await self._close(refusal.code, refusal.error)

    async def close_signed_in(self) -> None:
        """Wait until the client has answered the close frame, which its socket sends."""
        self._enter_closed("close", ConnectionState.SIGNED_IN)
        await self._until_gone()

    async def fail(self) -> None:
        """End the connection after a mistake of the server, in whatever state it is; once signed in, the socket closes.

        The only step that expects no state: a connection must never stay because a step was wrong.
        """
        state, self.state = self.state, ConnectionState.CLOSED
        try:
            if state is ConnectionState.UPGRADING:
                await self._deny(500)
            elif state is ConnectionState.UNSIGNED:
                await self._close(CloseCode.INTERNAL_ERROR)
            elif state is ConnectionState.SIGNED_IN:
                await self._until_gone()
        except Gone:
            pass

    def _expect(self, step: str, *expected: ConnectionState) -> None:
        if self.state not in expected:
            raise WrongState(step, expected, self.state)

    def _enter_closed(self, step: str, *expected: ConnectionState) -> None:
        self._expect(step, *expected)
        self.state = ConnectionState.CLOSED

    # --- Frames in ------------------------------------------------------------------------

    async def next_text(self) -> str:
        """Return the next text frame.

        :raises Gone: the client left.
        :raises Refused: the frame is binary or too large.
        """
        self._expect("read a frame", ConnectionState.SIGNED_IN, ConnectionState.UNSIGNED)
        text = self._checked(await self._receive(), "websocket.receive").get("text")
        if text is None:
            raise Refused(CloseCode.UNSUPPORTED_DATA)
        limit = settings.LIMITS.frame_bytes
        if len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit):
            raise Refused(CloseCode.TOO_BIG)
        return str(text)

    def _checked(self, message: dict[str, Any], expected: str) -> dict[str, Any]:
        """Return the message. No coroutine: its frame would cost each idle connection half a KiB."""
        if message["type"] == "websocket.disconnect":
            self.state = ConnectionState.CLOSED
            raise Gone(message.get("code", NO_CODE))
        if message["type"] != expected:
            raise WrongMessage(expected, message["type"])
        return message

    # --- Messages out ---------------------------------------------------------------------

    async def _send_or_gone(self, message: dict[str, Any]) -> None:
        try:
            await self.send(message)
        except OSError as error:  # what ASGI lets `send` raise when the client is gone
            self.state = ConnectionState.CLOSED
            raise Gone(NO_CLOSE_FRAME) from error

    async def _deny(self, status: int, retry_after: float | None = None) -> None:
        if "websocket.http.response" in self.scope.get("extensions", {}):
            headers = [] if retry_after is None else [(b"retry-after", b"%d" % math.ceil(retry_after))]
            start = {"type": "websocket.http.response.start", "status": status, "headers": headers}
            await self._send_or_gone(start)
            await self._send_or_gone({"type": "websocket.http.response.body", "body": b""})
        else:
            await self._send_or_gone({"type": "websocket.close"})

    async def _close(self, code: int, error: DomainError | None = None) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                if error is not None:
                    frame = bodies.encode(error_frame(error.body(), id=self.auth_id))
                    await self.send(WireFrame(frame).message)
                await self.send({"type": "websocket.close", "code": code})
        except Exception:  # noqa: BLE001 - the client left meanwhile, or reads nothing
            return
        await self._until_gone()

    async def _until_gone(self) -> None:
        """Read on until the client has answered the close, so that the close code reaches it."""
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while (await self._receive())["type"] != "websocket.disconnect":
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
