"""One signed-in socket: who it is, its bounded outbox, and what it holds back while it catches up.

The fast case of a write costs no task and no queue: the server's `write` takes the ready frame, or, on a
server without one, ASGI's `send` is stepped once. Only when the transport is full does the rest of that
coroutine, and everything after it, wait in the outbox for a writer task.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

from django.conf import settings

from realtime.fanout.stepping import Rest
from realtime.registry import Identity
from realtime.wire.bodies import encode
from realtime.wire.frames import Frame
from realtime.wire.wire_frame import WireFrame, WriteFrame

if TYPE_CHECKING:
    from realtime.fanout.topic import Topic

Send = Callable[[dict[str, Any]], Coroutine[Any, Any, None]]

NOT_SIGNED_IN = 4401
BAD_FRAMES = 4400
REVOKED = 4403
HEARTBEAT_MISSED = 4408
REPLACED = 4409
TOO_SLOW = 4410
TOO_FAST = 4429
RESTART = 1012
INTERNAL_ERROR = 1011
TOO_BIG = 1009
INVALID_TEXT = 1007
UNSUPPORTED_DATA = 1003
PROTOCOL_ERROR = 1002


# A task that nobody refers to may be collected before it ends.
_closes: set[asyncio.Task[None]] = set()


class Socket:
    """One connection of one device session. Lives on the event loop; nothing here blocks."""

    __slots__ = (
        "__weakref__",
        "_abort",
        "_bytes",
        "_ended_at",
        "_held",
        "_held_since",
        "_holds_notices",
        "_queue",
        "_queued_since",
        "_room",
        "_send",
        "_write",
        "_writer",
        "active_at",
        "close_code",
        "connection_id",
        "heard_at",
        "identity",
        "opened_at",
        "stuck_since",
        "topics",
    )

    def __init__(
        self,
        send: Send,
        abort: Callable[[], object],
        identity: Identity,
        connection_id: str,
        write: WriteFrame | None = None,
    ) -> None:
        self._send = send
        self._write = write or _never
        self._abort = abort
        self.identity = identity
        self.connection_id = connection_id
        self.topics: dict[str, Topic] = {}
        self.opened_at = self.heard_at = self.active_at = time.monotonic()
        self.stuck_since: float | None = None
        self._queue: deque[WireFrame] | None = None
        self._bytes = 0
        self._writer: asyncio.Task[None] | None = None
        # When it was that everything before had been written: before the queue began, before the holding back did.
        self._queued_since: float | None = None
        self._held_since: float | None = None
        self._ended_at: float | None = None
        # How the connection ended: the server's own word for it, else the client's or the network's.
        self.close_code: int | None = None
        self._held: list[tuple[str, int, WireFrame]] | None = None
        self._holds_notices = False
        self._room: asyncio.Event | None = None

    @property
    def user_id(self) -> str:
        """Id of the person."""
        return self.identity.user_id

    @property
    def session_id(self) -> str:
        """Id of the device session."""
        return self.identity.session_id

    @property
    def closing(self) -> bool:
        """Whether a close was begun: nothing is delivered any more."""
        return self._ended_at is not None

    @property
    def written_until(self) -> float | None:
        """Up to when all that was handed to this socket went out to its transport, by the monotonic clock.

        None: all of it, and the socket is open.
        """
        if self._queued_since is None and self._held_since is None:
            return self._ended_at  # nearly all, of thousands that are asked every second
        return _earliest(self._queued_since, self._held_since, self._ended_at)

    # --- Frames out -----------------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Send one frame to this socket alone."""
        self.deliver(WireFrame(encode(frame)))

    def deliver(self, frame: WireFrame, *, droppable: bool = False) -> None:
        """Write a frame, or queue it when the transport is full.

        A droppable frame is given up once the outbox is half full; a full outbox closes the socket with 4410.
        """
        if self._ended_at is not None:
            return
        if self._queue is None:
            if not self._write(frame.wire):
                self._step(frame)
            return
        if droppable and self._half_full:
            return
        limits = settings.LIMITS
        if len(self._queue) >= limits.outbox_frames or self._bytes + frame.size > limits.outbox_bytes:
            self.close(TOO_SLOW)
            return
        self._queue.append(frame)
        self._bytes += frame.size

    def deliver_event(self, conversation_id: str, sequence: int, frame: WireFrame) -> None:
        """Deliver an event of the log, or hold it back while this socket catches up."""
        if self._held is None:
            self.deliver(frame)
            return
        self._held.append((conversation_id, sequence, frame))
        if len(self._held) > settings.LIMITS.outbox_frames * 4:
            self.close(TOO_SLOW)

    def deliver_notice(self, frame: WireFrame, *, droppable: bool) -> None:
        """Deliver what is no event of the log, or hold it back, too, before `connected`."""
        if self._holds_notices:
            self.deliver_event("", 1, frame)  # of no conversation, so that no catch-up covers it
        else:
            self.deliver(frame, droppable=droppable)

    async def room(self, *, for_more: bool = False) -> None:
        """Wait until the outbox is less than half full, or `for_more` empty; how a long catch-up paces itself."""
        while not self.closing and (self._queue is not None if for_more else self._half_full):
            self._room = asyncio.Event()
            await self._room.wait()

    @property
    def _half_full(self) -> bool:
        limits = settings.LIMITS
        return self._queue is not None and (
            len(self._queue) * 2 >= limits.outbox_frames or self._bytes * 2 >= limits.outbox_bytes
        )

    def _step(self, frame: WireFrame) -> None:
        """Run ASGI's `send` up to its first wait; where the transport has room that is its end."""
        coroutine = self._send(frame.message)
        try:
            waited_for = coroutine.send(None)
        except StopIteration:
            return
        except Exception:  # noqa: BLE001 - the peer is gone; `receive` reports it
            self._end()
            return
        self._queue = deque()
        self._bytes = frame.size
        self.stuck_since = self._queued_since = time.monotonic()
        self._writer = asyncio.ensure_future(self._write_queued(Rest(coroutine, waited_for), frame.size))

    async def _write_queued(self, writing: Awaitable[None], size: int) -> None:
        """Finish the frame that is being written, then write what is queued, in order, until nothing is."""
        assert self._queue is not None
        try:
            while True:
                self.stuck_since = time.monotonic()
                await writing
                self._bytes -= size
                if self._room is not None and not self._half_full:
                    self._room.set()
                if not self._queue:
                    self._queued_since = None
                    break
                frame = self._queue.popleft()
                size = frame.size
                writing = self._send(frame.message)
        except Exception:  # noqa: BLE001 - the peer is gone; `receive` reports it
            self._end()
        finally:
            self._queue = None
            self._bytes = 0
            self._writer = None
            self.stuck_since = None
            if self._room is not None:
                self._room.set()

    # --- Catching up ----------------------------------------------------------------------

    def hold(self, *, notices: bool = False) -> None:
        """Begin to hold live events back, with `notices` those, too.

        The commands of a socket run one after the other, so nobody else holds.
        """
        self._held = []
        self._holds_notices = notices
        self._held_since = time.monotonic()

    def release(self, covered: dict[str, int]) -> None:
        """Deliver what was held back and lies above what was `covered`, in the order in which it came."""
        held, self._held = self._held or [], None
        self._holds_notices = False
        for conversation_id, sequence, frame in held:
            if sequence > covered.get(conversation_id, 0):
                self.deliver(frame)
        if self._queue is not None or self.closing:
            self._queued_since = _earliest(self._queued_since, self._held_since)
        self._held_since = None

    # --- The end --------------------------------------------------------------------------

    def close(self, code: int, last_frame: Frame | None = None) -> None:
        """Close the socket, at most once; a last frame goes out before when there is room."""
        if self.closing:
            return
        if last_frame is not None:
            self.send(last_frame)
        self._end()
        self.close_code = code
        _closes.add(task := asyncio.ensure_future(self._close(code, self._writer)))
        task.add_done_callback(_closes.discard)

    async def _close(self, code: int, writer: asyncio.Task[None] | None) -> None:
        try:
            async with asyncio.timeout(1):
                if writer is not None:  # the transport is full: perhaps it drains in time
                    await writer
                await self._send({"type": "websocket.close", "code": code})
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - whatever hindered it
            self._abort()

    def forget(self) -> None:
        """Give up everything that waits; the connection has ended."""
        self._end()
        if self._writer is not None:
            self._writer.cancel()

    def _end(self) -> None:
        if self._ended_at is None:
            self._ended_at = time.monotonic()


def _earliest(*moments: float | None) -> float | None:
    return min((moment for moment in moments if moment is not None), default=None)


def _never(_wire: bytes) -> bool:
    """Write nothing: the way out of a server that offers only `send`."""
    return False
