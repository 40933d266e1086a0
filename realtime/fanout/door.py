"""The one door out: every announcement of this process is published here and nowhere else.

The hub of this process gets announcements at once. The other processes get one envelope per commit over the channel
layer, which is a doorbell: a best-effort notification. What it loses, their sweep finds in the database.

`announce` waits for the commit; `announce_now_without_commit` is for announcements without a row.
In a server process the door runs on the event loop of the server, in a command or a worker on a thread of its own.
"""

import asyncio
import atexit
import logging
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

from channels.layers import get_channel_layer
from django.db import transaction

from realtime.database.crash import crash_point
from realtime.fanout.hub import hub
from realtime.wire.announcements import Announcement, pack, unpack

log = logging.getLogger("chatsite.door")

# The name of the group and of the field in the envelope stay: processes of two releases exchange envelopes.
GROUP = "items"
PUBLISH_TIMEOUT_SECONDS = 0.2
BREAKER_OPEN_SECONDS = 1.0
RECEIVE_RETRY_SECONDS = 0.5


def announce(announcements: Sequence[Announcement]) -> None:
    """Publish announcements when the surrounding transaction has committed; never if it does not commit."""
    transaction.on_commit(lambda: announce_committed(announcements))


def announce_committed(announcements: Sequence[Announcement]) -> None:
    """Publish announcements whose transaction has committed, on whichever connection."""
    crash_point("after_commit")
    door.publish(announcements)


def announce_now_without_commit(announcements: Sequence[Announcement]) -> None:
    """Publish announcements without a transaction: typing, presence, the close of a socket."""
    door.publish(announcements)


class Door:
    """The door of this process. `publish` may be called from any thread, the rest from the event loop."""

    def __init__(self) -> None:
        self.origin = uuid.uuid4().hex
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._outgoing: list[Announcement] = []
        self._publisher: asyncio.Task[None] | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._closed_until = 0.0

    def publish(self, announcements: Sequence[Announcement]) -> None:
        """Give announcements to this process's hub and to the other processes."""
        loop = self._loop or self._own_loop()
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is loop:
            self._publish_here(announcements)
        else:
            try:
                loop.call_soon_threadsafe(self._publish_here, announcements)
            except RuntimeError:
                pass  # the loop is closed: this process is ending; the sweeps of the others find the rest

    def open(self) -> None:
        """Start to receive from the other processes; called on the event loop of a server, any number of times."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._publisher = None
            self._receiver = loop.create_task(self._receive())

    async def drained(self) -> None:
        """Wait until everything that was published so far was sent to the channel layer, or given up."""
        while self._publisher is not None and not self._publisher.done():
            await asyncio.wait([self._publisher])

    @property
    def healthy(self) -> bool:
        """Whether the breaker is closed: no envelope failed within the last `BREAKER_OPEN_SECONDS`."""
        return time.monotonic() >= self._closed_until

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        """Return a loop on a daemon thread, for a process without an event loop."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="door", daemon=True).start()
                atexit.register(self._flush)
            return self._loop

    def _flush(self) -> None:
        if self._loop is not None and self._loop.is_running():
            try:
                asyncio.run_coroutine_threadsafe(self.drained(), self._loop).result(timeout=1)
            except TimeoutError:
                pass  # the sweeps of the other processes find the rest

    def _publish_here(self, announcements: Sequence[Announcement]) -> None:
        hub.offer(announcements)
        self._outgoing.extend(announcements)
        if self._publisher is None or self._publisher.done():
            self._publisher = asyncio.ensure_future(self._send_envelopes())

    async def _send_envelopes(self) -> None:
        """Send all waiting announcements in one envelope; repeat until none waits."""
        layer = get_channel_layer()
        while self._outgoing:
            announcements, self._outgoing = self._outgoing, []
            if not self.healthy:
                continue  # the breaker is open: the sweeps of the other processes find these
            crash_point("before_publish")
            envelope: dict[str, Any] = {"type": "items", "origin": self.origin, "items": pack(announcements)}
            try:
                async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
                    await layer.group_send(GROUP, envelope)
            except Exception as error:  # noqa: BLE001 - a doorbell may fail in any way
                self._closed_until = time.monotonic() + BREAKER_OPEN_SECONDS
                log.warning("the channel layer is away: %s", type(error).__name__)

    async def _receive(self) -> None:
        """Give every envelope of another process to the hub; start again after any failure."""
        layer = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                while True:
                    self._receive_envelope(await layer.receive(channel))
            except Exception as error:  # noqa: BLE001 - a doorbell may fail in any way
                log.warning("the channel layer does not answer: %s", type(error).__name__)
                await asyncio.sleep(RECEIVE_RETRY_SECONDS)

    def _receive_envelope(self, envelope: dict[str, Any]) -> None:
        """Give the announcements of another process to the hub."""
        if envelope["origin"] == self.origin:
            return
        try:
            hub.offer(unpack(envelope["items"]))
        except Exception:
            # Another release may publish announcements that this one does not know. The sweep finds what is durable.
            # To start again, as after a failure of the layer, would leave a channel that nobody reads.
            log.exception("an envelope could not be read")


door = Door()
