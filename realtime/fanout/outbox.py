"""How frames leave one connection: written at once while the transport takes them, else queued; and the close.

The ordinary write needs no task and no queue: the server's `write` takes the ready frame, or, on a server without
one, ASGI's `send` is stepped once. When the transport is full, a backlog begins: the rest of that coroutine and all
frames after it wait there for a writer task.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from django.conf import settings

from realtime.fanout.stepping import Rest
from realtime.wire.close_codes import CloseCode
from realtime.wire.wire_frame import WireFrame, WriteFrame

Send = Callable[[dict[str, Any]], Coroutine[Any, Any, None]]

# How long a close waits for a full transport before the connection is cut.
CLOSE_SECONDS = 1
# A task that nobody refers to may be collected before it ends.
_closes: set[asyncio.Task[None]] = set()


class Backlog:
    """The frames that wait because the transport is full, bounded by number and bytes."""

    __slots__ = ("_bytes", "_frames", "_room", "since", "stuck_since", "writer")

    writer: asyncio.Task[None]

    def __init__(self, first: WireFrame) -> None:
        """Begin with the frame that is being written."""
        # Up to `since` everything was written; the write under way began at `stuck_since`. By the monotonic clock.
        self.since = self.stuck_since = time.monotonic()
        self._frames: deque[WireFrame] = deque()
        self._bytes = first.size
        self._room = asyncio.Event()

    @property
    def half_full(self) -> bool:
        """Whether half of the frames or of the bytes that may wait are waiting."""
        limits = settings.LIMITS
        return len(self._frames) * 2 >= limits.outbox_frames or self._bytes * 2 >= limits.outbox_bytes

    def has_room_for(self, frame: WireFrame) -> bool:
        """Return whether this frame may wait, too."""
        limits = settings.LIMITS
        return len(self._frames) < limits.outbox_frames and self._bytes + frame.size <= limits.outbox_bytes

    def append(self, frame: WireFrame) -> None:
        """Queue a frame."""
        self._frames.append(frame)
        self._bytes += frame.size

    def next_after(self, written: WireFrame) -> WireFrame | None:
        """Return the frame to write after this one was written; None: nothing waits any more."""
        self._bytes -= written.size
        if not self.half_full:
            self._room.set()
        if not self._frames:
            return None
        self.stuck_since = time.monotonic()
        return self._frames.popleft()

    async def room(self) -> None:
        """Wait until a write leaves it less than half full, or until it ends."""
        self._room.clear()
        await self._room.wait()

    def end(self) -> None:
        """Drop what waits, and wake the tasks that wait for room."""
        self._frames.clear()
        self._bytes = 0
        self._room.set()


class Outbox:
    """What queues and writes for one connection, and closes it. Lives on the event loop; nothing here blocks."""

    __slots__ = ("_abort", "_send", "_write", "backlog", "close_code", "ended_at")

    def __init__(self, send: Send, abort: Callable[[], object], write: WriteFrame | None = None) -> None:
        """Write by `write` where the server has one, else by ASGI's `send`; `abort` cuts the connection."""
        self._send = send
        self._abort = abort
        self._write = write or _never
        # None while the transport takes every frame. Stays after a failure, for its `since`.
        self.backlog: Backlog | None = None
        # When the close began or the connection broke; nothing is delivered from then on.
        self.ended_at: float | None = None
        # The first close code of the server, else the client's or the network's.
        self.close_code: int | None = None

    @property
    def written_until(self) -> float | None:
        """Up to when all frames given to it were written, by the monotonic clock; None: all, and it is open."""
        backlog = self.backlog
        if backlog is None:
            return self.ended_at
        return backlog.since if self.ended_at is None else min(backlog.since, self.ended_at)

    def waits_since(self, moment: float) -> None:
        """Note that the frames that wait, or were lost at the end, were due from this moment on."""
        if self.backlog is not None:
            self.backlog.since = min(self.backlog.since, moment)
        if self.ended_at is not None:
            self.ended_at = min(self.ended_at, moment)

    # --- Frames out -----------------------------------------------------------------------

    def deliver(self, frame: WireFrame, *, droppable: bool = False) -> None:
        """Write a frame, or queue it when the transport is full.

        A droppable frame is dropped when the backlog is half full; a full backlog closes the connection with 4410.
        """
        if self.ended_at is not None:
            return
        if self.backlog is None:
            if not self._write(frame.wire):
                self._step(frame)
        elif droppable and self.backlog.half_full:
            return
        elif self.backlog.has_room_for(frame):
            self.backlog.append(frame)
        else:
            self.close(CloseCode.TOO_SLOW)

    async def room(self, *, for_more: bool = False) -> None:
        """Wait until the backlog is less than half full, `for_more` until there is none; returns at the end, too.

        A long catch-up waits here between its frames, and so keeps the pace of its client.
        """
        while self.ended_at is None:
            backlog = self.backlog
            if backlog is None or not (for_more or backlog.half_full):
                return
            await backlog.room()

    def _step(self, frame: WireFrame) -> None:
        """Run ASGI's `send` up to its first wait; when the transport has room it ends before that."""
        coroutine = self._send(frame.message)
        try:
            waited_for = coroutine.send(None)
        except StopIteration:
            return
        except Exception:  # noqa: BLE001 - the peer is gone; `receive` reports it
            self._end()
            return
        self.backlog = backlog = Backlog(frame)
        writing = self._write_backlog(backlog, Rest(coroutine, waited_for), frame)
        backlog.writer = asyncio.ensure_future(writing)

    async def _write_backlog(self, backlog: Backlog, writing: Awaitable[None], first: WireFrame) -> None:
        """Finish the frame that is being written, then write those that wait, in order, until none waits."""
        frame: WireFrame | None = first
        try:
            while frame is not None:
                await writing
                frame = backlog.next_after(frame)
                if frame is not None:
                    writing = self._send(frame.message)
            self.backlog = None
        except Exception:  # noqa: BLE001 - the peer is gone; `receive` reports it
            self._end()
        finally:
            backlog.end()

    # --- The end --------------------------------------------------------------------------

    def close(self, code: int, last_frame: WireFrame | None = None) -> None:
        """Close the connection, at most once; a last frame goes out before when there is room."""
        if self.ended_at is not None:
            return
        backlog = self.backlog
        if last_frame is not None and (backlog is None or backlog.has_room_for(last_frame)):
            self.deliver(last_frame)
        self._end()
        self.close_code = code
        _closes.add(task := asyncio.ensure_future(self._close(code)))
        task.add_done_callback(_closes.discard)

    def forget(self) -> None:
        """Drop all that waits; the connection has ended."""
        self._end()
        if self.backlog is not None:
            self.backlog.writer.cancel()

    async def _close(self, code: int) -> None:
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                if self.backlog is not None:  # the transport is full: perhaps it drains in time
                    await self.backlog.writer
                await self._send({"type": "websocket.close", "code": code})
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - the connection is cut, for whatever reason
            self._abort()

    def _end(self) -> None:
        if self.ended_at is None:
            self.ended_at = time.monotonic()


def _never(_wire: bytes) -> bool:
    """Write nothing: stands in for `write` on a server that offers only `send`."""
    return False
