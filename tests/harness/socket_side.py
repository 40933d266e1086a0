"""The socket side of a device: sending frames, and waiting for them.

Nothing here waits for a fixed time. `receives` waits for a frame. `has_not_heard` asserts that something did *not*
arrive; call it after a later frame on the same way has arrived.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.harness.proxy import Proxy
from tests.harness.servers import Server, Site
from tests.waiting import DEADLINE

Frame = dict[str, Any]

# Short names for the fields that tests ask for most.
_SHORT = {
    "conversation": "conversation_id",
    "sender": "sender_user_id",
    "user": "user_id",
    "reader": "reader_id",
}
_NESTED = ("message", "participant", "conversation")


class SocketSide:
    """At most one socket at a time, and every frame that came on it."""

    def __init__(self, token: str, server: Server, site: Site) -> None:
        self.token = token
        self.server = server
        self.site = site
        self.close_code: int | None = None
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None
        self._heard: list[Frame] = []
        self._taken: set[int] = set()
        self._news = asyncio.Event()

    # --- Opening and closing ---------------------------------------------------------------

    async def opens_socket(
        self,
        *,
        auth: str | None = "header",
        via: Proxy | None = None,
        server: Server | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Open a socket without waiting for `connected`."""
        await self.disconnects()
        self.server = server or self.server
        port = via.port if via is not None else self.server.port
        bearer = {"Authorization": f"Bearer {self.token}"} if auth == "header" else {}
        self._heard, self._taken, self.close_code = [], set(), None
        self._socket = await connect(
            f"ws://127.0.0.1:{port}/ws",
            additional_headers=bearer | dict(headers or {}),
            compression=None,
            max_size=None,
            max_queue=None,
            ping_interval=None,
            close_timeout=2,
            open_timeout=DEADLINE,
            proxy=None,
        )
        self._reader = asyncio.create_task(self._reads(self._socket))

    async def disconnects(self) -> None:
        """Close the socket with a close frame; does nothing without a socket."""
        if self._socket is not None:
            await self._socket.close()
        await self._forgets_socket()

    async def vanishes(self) -> None:
        """Drop the connection without a close frame, as a phone in a tunnel does."""
        if self._socket is not None:
            self._socket.transport.abort()
        await self._forgets_socket()

    async def is_closed(self, code: int | None = None, *, within: float = DEADLINE) -> int | None:
        """Wait until the server closed the socket, with this code if one is given."""
        assert self._reader is not None, f"{self} has no socket"
        try:
            await asyncio.wait_for(asyncio.shield(self._reader), within)
        except TimeoutError:
            raise AssertionError(f"{self} was not closed within {within} s; heard {self._summary()}") from None
        assert code is None or self.close_code == code, (
            f"{self} was closed with {self.close_code}, not {code}; heard {self._summary()}"
        )
        return self.close_code

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open."""
        return self._reader is not None and not self._reader.done()

    async def _reads(self, socket: ClientConnection) -> None:
        try:
            async for text in socket:
                assert isinstance(text, str), "the server sent a binary frame"
                self._heard.append(json.loads(text))
                self._news.set()
        except ConnectionClosed:
            pass
        finally:
            self.close_code = socket.close_code
            self._news.set()

    async def _forgets_socket(self) -> None:
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=DEADLINE)
        self._socket = self._reader = None

    # --- Sending ----------------------------------------------------------------------------

    async def says_raw(self, data: str | bytes) -> None:
        """Send a frame as it is: text for str, binary for bytes."""
        await self._sends_raw(data)

    async def says_raw_text(self, data: bytes) -> None:
        """Send bytes as a text frame, whether they are UTF-8 or not."""
        await self._sends_raw(data, text=True)

    async def _sends_raw(self, data: str | bytes, *, text: bool | None = None) -> None:
        assert self._socket is not None, f"{self} has no socket"
        assert self._reader is not None
        try:
            await self._socket.send(data, text=text)
        except ConnectionClosed:
            # Read what came before the end, so that `is_connected` agrees with this error.
            await asyncio.wait([self._reader], timeout=DEADLINE)
            raise

    # --- Receiving ---------------------------------------------------------------------------

    async def receives(self, type: str, *, within: float = DEADLINE, **fields: Any) -> Frame:
        """Wait for a frame of this type with these fields, in the frame or in the body it carries.

        Each frame answers one `receives` only; frames in between stay for later ones.
        """
        description = f"{type} {fields or ''}".strip()
        return await self.hears(lambda frame: matches(frame, type, fields), description, within=within)

    async def hears(
        self,
        wanted: Callable[[Frame], bool],
        description: str,
        *,
        within: float = DEADLINE,
        takes: bool = True,
    ) -> Frame:
        """Wait for a frame for which `wanted` is true; unless it `takes` it, later calls find it again."""
        try:
            async with asyncio.timeout(within):
                return await self._finds(wanted, takes)
        except TimeoutError:
            raise AssertionError(
                f"{self} did not hear {description} within {within} s; heard {self._summary()}"
                f"\n{self.site.recent_logs()}"
            ) from None

    async def _finds(self, wanted: Callable[[Frame], bool], takes: bool) -> Frame:
        position = 0
        while True:
            self._news.clear()
            while position < len(self._heard):
                frame = self._heard[position]
                if position not in self._taken and wanted(frame):
                    if takes:
                        self._taken.add(position)
                    return frame
                position += 1
            if not self.is_connected and position == len(self._heard):
                raise AssertionError(f"{self} is not connected (close code {self.close_code}); heard {self._summary()}")
            await self._news.wait()

    def heard(self, type: str, **fields: Any) -> list[Frame]:
        """Return every frame of the current socket so far that matches, in order, taken or not."""
        return [frame for frame in self._heard if matches(frame, type, fields)]

    def all_heard(self) -> list[Frame]:
        """Return every frame of the current socket so far."""
        return list(self._heard)

    def has_not_heard(self, type: str, **fields: Any) -> None:
        """Assert that no such frame came so far; call it after a frame that must have come later."""
        found = self.heard(type, **fields)
        assert not found, f"{self} should not have heard {found}"

    async def frames(self, position: int = 0) -> AsyncIterator[Frame]:
        """Yield the frames of the current socket as they come, until it closes."""
        heard = self._heard
        while True:
            self._news.clear()
            while position < len(heard):
                yield heard[position]
                position += 1
            if heard is not self._heard or not self.is_connected:
                return
            await self._news.wait()

    def takes_all(self) -> None:
        """Mark everything heard so far as taken."""
        self._taken.update(range(len(self._heard)))

    def _summary(self) -> str:
        return (
            "nothing" if not self._heard else "".join(f"\n  {json.dumps(frame)[:300]}" for frame in self._heard[-25:])
        )


def id_of(thing: Any) -> str:
    """Return the id of a body, a device's person, or an id itself."""
    return str(thing["id"] if isinstance(thing, Mapping) else getattr(thing, "id", thing))


def matches(frame: Frame, type: str, fields: Mapping[str, Any]) -> bool:
    """Return whether a frame has this type and these fields, in itself or in the body it carries."""
    if frame["type"] != type:
        return False
    bodies = [frame, *(frame[name] for name in _NESTED if isinstance(frame.get(name), dict))]
    for short, wanted in fields.items():
        name = _SHORT.get(short, short)
        value = id_of(wanted) if name != short or hasattr(wanted, "id") else wanted
        if not any(name in body and body[name] == value for body in bodies):
            return False
    return True
