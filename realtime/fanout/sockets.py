"""One signed-in socket: its identity, topics and times. Frames to it go to its outbox or its catch-up buffer.

Not here: how frames are written and queued (`outbox`), what is buffered (`catch_up_buffer`).
"""

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from realtime.fanout.catch_up_buffer import CatchUpBuffer
from realtime.fanout.outbox import Outbox, Send
from realtime.registry import Identity
from realtime.wire.bodies import encode
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Frame
from realtime.wire.wire_frame import WireFrame, WriteFrame

if TYPE_CHECKING:
    from realtime.fanout.topic import Topic


class Socket:
    """One connection of one device session. Lives on the event loop; nothing here blocks."""

    __slots__ = (
        "__weakref__",
        "_buffer",
        "active_at",
        "connection_id",
        "heard_at",
        "identity",
        "opened_at",
        "outbox",
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
        self.identity = identity
        self.connection_id = connection_id
        # The conversations of the user, by id.
        self.topics: dict[str, Topic] = {}
        # By the monotonic clock: when it signed in, sent any frame, and sent one that shows that its user is active.
        self.opened_at = self.heard_at = self.active_at = time.monotonic()
        self.outbox = Outbox(send, abort, write)
        # None: live events go out at once.
        self._buffer: CatchUpBuffer | None = None

    @property
    def user_id(self) -> str:
        """Id of the person."""
        return self.identity.user_id

    @property
    def session_id(self) -> str:
        """Id of the device session."""
        return self.identity.session_id

    # --- Frames out -----------------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Send one frame to this socket alone."""
        self.outbox.deliver(WireFrame(encode(frame)))

    def deliver_event(self, conversation_id: str, sequence: int, frame: WireFrame) -> None:
        """Deliver an event of the log, or buffer it while this socket catches up."""
        if self._buffer is None:
            self.outbox.deliver(frame)
        else:
            self._buffer.append(conversation_id, sequence, frame)
            self._close_if_overfull(self._buffer)

    def deliver_ephemeral(self, frame: WireFrame, *, droppable: bool) -> None:
        """Deliver an ephemeral event, or buffer it before `connected`."""
        if self._buffer is not None and self._buffer.takes_ephemeral:
            self._buffer.append_ephemeral(frame)
            self._close_if_overfull(self._buffer)
        else:
            self.outbox.deliver(frame, droppable=droppable)

    # --- Catching up ----------------------------------------------------------------------

    def start_buffering(self, *, ephemeral: bool = False) -> None:
        """Buffer live events; with `ephemeral=True`, ephemeral events as well.

        :raises RuntimeError: it buffers already. The commands of a socket run one after the other, so none overlap.
        """
        if self._buffer is not None:
            raise RuntimeError("start buffering: expected a socket that delivers, got one that buffers")
        self._buffer = CatchUpBuffer(takes_ephemeral=ephemeral)

    def release(self, covered: Mapping[str, int]) -> None:
        """Deliver the buffered events above the `covered` sequences, in the order in which they came.

        :raises RuntimeError: it does not buffer.
        """
        buffer = self._buffer
        if buffer is None:
            raise RuntimeError("release: expected a socket that buffers, got one that delivers")
        self._buffer = None
        for frame in buffer.above(covered):
            self.outbox.deliver(frame)
        self.outbox.waits_since(buffer.since)

    def _close_if_overfull(self, buffer: CatchUpBuffer) -> None:
        if buffer.is_overfull:
            self.close(CloseCode.TOO_SLOW)

    @property
    def written_until(self) -> float | None:
        """Up to when everything that was delivered to this socket reached its transport, by the monotonic clock.

        None: all of it, and the socket is open.
        """
        buffer, outbox = self._buffer, self.outbox
        if buffer is None and outbox.backlog is None:
            return outbox.ended_at  # the usual case; records ask thousands of sockets every second
        until = outbox.written_until
        if buffer is None:
            return until
        return buffer.since if until is None else min(until, buffer.since)

    # --- The end --------------------------------------------------------------------------

    @property
    def closing(self) -> bool:
        """Whether a close has begun: nothing is delivered any more."""
        return self.outbox.ended_at is not None

    @property
    def close_code(self) -> int | None:
        """How the connection ended: the server's own code, else the client's or the network's; None: it is open."""
        return self.outbox.close_code

    def close(self, code: int, last_frame: Frame | None = None) -> None:
        """Close the socket, at most once; a last frame goes out before when there is room."""
        self.outbox.close(code, None if last_frame is None else WireFrame(encode(last_frame)))

    def disconnected(self, code: int) -> None:
        """Note the code with which the client or the network ended it; the server's own code comes first."""
        if self.outbox.close_code is None:
            self.outbox.close_code = code

    def forget(self) -> None:
        """Drop everything that waits; the connection has ended."""
        self.outbox.forget()
