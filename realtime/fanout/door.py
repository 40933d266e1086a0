"""The one door out: what was committed is announced here and nowhere else.

The hub of this process gets it at once; the other processes get one envelope per commit over the
channel layer, which is a doorbell that may fail: what it loses, their sweep finds in the database.

`announce` waits for the commit; `announce_now_without_commit` is for what has no row at all.
Works in a server process (on its event loop) and in a command or worker, which lends it a loop of its own.
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
from realtime.wire.items import Item, pack, unpack

log = logging.getLogger("chatsite.door")

GROUP = "items"
PUBLISH_TIMEOUT_SECONDS = 0.2
BREAKER_OPEN_SECONDS = 1.0
RECEIVE_RETRY_SECONDS = 0.5


def announce(items: Sequence[Item]) -> None:
    """Announce items after the surrounding transaction has committed; nothing if it does not."""
    transaction.on_commit(lambda: announce_committed(items))


def announce_committed(items: Sequence[Item]) -> None:
    """Announce items whose transaction has committed, however it was driven."""
    crash_point("after_commit")
    door.pass_on(items)


def announce_now_without_commit(items: Sequence[Item]) -> None:
    """Announce items that no transaction stands behind: typing, presence, the end of a socket."""
    door.pass_on(items)


class Door:
    """The door of this process. `pass_on` may be called from any thread, the rest from the event loop."""

    def __init__(self) -> None:
        self.origin = uuid.uuid4().hex
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._outgoing: list[Item] = []
        self._publisher: asyncio.Task[None] | None = None
        self._receiver: asyncio.Task[None] | None = None
        self._closed_until = 0.0

    def pass_on(self, items: Sequence[Item]) -> None:
        """Give items to this process's hub and to the other processes."""
        loop = self._loop or self._own_loop()
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is loop:
            self._take(items)
        else:
            try:
                loop.call_soon_threadsafe(self._take, items)
            except RuntimeError:
                pass  # the loop is closed: this process is ending; the others' sweep finds the rest

    def open(self) -> None:
        """Begin to listen to the other processes; called on the event loop of a server, any number of times."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            self._publisher = None
            self._receiver = loop.create_task(self._receive())

    async def drained(self) -> None:
        """Wait until what was announced so far is on its way."""
        while self._publisher is not None and not self._publisher.done():
            await asyncio.wait([self._publisher])

    @property
    def healthy(self) -> bool:
        """Whether the last envelope went out."""
        return time.monotonic() >= self._closed_until

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        """Return a loop on a thread of its own, for processes that have none; it ends with the process."""
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
                pass  # the others' sweep finds it

    def _take(self, items: Sequence[Item]) -> None:
        hub.offer(items)
        self._outgoing.extend(items)
        if self._publisher is None or self._publisher.done():
            self._publisher = asyncio.ensure_future(self._publish())

    async def _publish(self) -> None:
        """Send everything that waits in one envelope, until nothing waits."""
        layer = get_channel_layer()
        while self._outgoing:
            items, self._outgoing = self._outgoing, []
            if not self.healthy:
                continue  # the breaker is open: the others' sweep finds these
            crash_point("before_publish")
            envelope: dict[str, Any] = {"type": "items", "origin": self.origin, "items": pack(items)}
            try:
                async with asyncio.timeout(PUBLISH_TIMEOUT_SECONDS):
                    await layer.group_send(GROUP, envelope)
            except Exception as error:  # noqa: BLE001 - a doorbell may fail in any way
                self._closed_until = time.monotonic() + BREAKER_OPEN_SECONDS
                log.warning("the channel layer is away: %s", type(error).__name__)

    async def _receive(self) -> None:
        """Hand every envelope of another process to the hub; comes back after any failure."""
        layer = get_channel_layer()
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(GROUP, channel)
                while True:
                    self._let_in(await layer.receive(channel))
            except Exception as error:  # noqa: BLE001 - a doorbell may fail in any way
                log.warning("the channel layer does not answer: %s", type(error).__name__)
                await asyncio.sleep(RECEIVE_RETRY_SECONDS)

    def _let_in(self, envelope: dict[str, Any]) -> None:
        """Give what another process announced to the hub."""
        if envelope["origin"] == self.origin:
            return
        try:
            hub.offer(unpack(envelope["items"]))
        except Exception:
            # Another release may announce what this one does not know. The sweep finds what matters of it; to come
            # back as after a failure of the layer would leave a channel behind that nobody reads.
            log.exception("an envelope could not be taken")


door = Door()
