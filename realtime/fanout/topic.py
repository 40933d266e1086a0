"""One conversation in this process: follows its log, and passes on each event once and in order.

Like any client of the log it passes on what follows the head, ignores what it had, keeps what comes early, and reads
what is missing from the database.
"""

import asyncio
import logging
import zlib
from collections.abc import Collection, Mapping
from typing import Protocol

from realtime import registry
from realtime.database.threads import in_database_thread
from realtime.fanout.sockets import Socket
from realtime.wire.errors import TryAgain
from realtime.wire.items import Event

log = logging.getLogger("chatsite.hub")

# A wake-up that overtook another is normally followed by it within milliseconds.
GRACE_SECONDS = 0.05


class Audience(Protocol):
    """Who is told: the hub of this process."""

    def viewers(self) -> Collection[str]:
        """Return whose sockets are here, for what looks different to each viewer."""

    def admit(self, topic: "Topic", joins: Mapping[str, int]) -> None:
        """Make the sockets of these users members, each from their history start on."""

    def deliver(self, topic: "Topic", event: Event, text: str | None) -> None:
        """Pass an event on to every member, each according to what they may see."""

    def has(self, topic: "Topic") -> bool:
        """Return whether the topic is still one of this process."""

    def drop_if_empty(self, topic: "Topic") -> None:
        """Forget the topic if it has no member."""


class Topic:
    """One conversation that has sockets in this process. Used from the event loop only."""

    __slots__ = (
        "_audience",
        "_checksum",
        "_early",
        "conversation_id",
        "filling",
        "head",
        "members",
        "membership_changed_at",
    )

    def __init__(self, conversation_id: str, head: int, audience: Audience) -> None:
        self.conversation_id = conversation_id
        # The newest event that was passed on.
        self.head = head
        # Socket -> first sequence that its user may see.
        self.members: dict[Socket, int] = {}
        # Sequence of the newest join or removal that was delivered here.
        self.membership_changed_at = 0
        self.filling: asyncio.Task[None] | None = None
        self._audience = audience
        self._early: dict[int, Event] = {}
        self._checksum = (-1, 0)

    @property
    def checksum(self) -> int:
        """CRC-32 of the conversation's id and head, as `frames.Heads` defines it."""
        if self._checksum[0] != self.head:
            self._checksum = (self.head, zlib.crc32(f"{self.conversation_id}:{self.head}".encode()))
        return self._checksum[1]

    def offer(self, event: Event) -> None:
        """Take an event that was announced."""
        if event.sequence <= self.head:
            return
        follows = event.sequence == self.head + 1
        if self.filling is None and follows and event.text is not None:
            self._pass_on(event, event.text)
            return
        self._early[event.sequence] = event
        if follows:
            # Members from the commit on: what they do while their frames are being rendered counts.
            self._audience.admit(self, event.joins)
        if self.filling is None:
            self.read_up_to(event.sequence, grace=0 if follows else GRACE_SECONDS)
        else:
            self._pass_on_early()

    def look_after(self, head: int) -> None:
        """See that the log is passed on up to this event, which is committed."""
        if head > self.head and self.filling is None:
            # Mostly it is just on its way from the commit to this hub.
            self.read_up_to(head, grace=GRACE_SECONDS)

    def read_up_to(self, sequence: int, *, grace: float) -> None:
        """Begin to read the log; after a grace, within which the rest may still be announced."""
        self.filling = asyncio.ensure_future(self._read_log(sequence, grace))

    def _pass_on(self, event: Event, text: str | None) -> None:
        self._audience.admit(self, event.joins)
        self.head = event.sequence
        if event.joins or event.leaves:
            self.membership_changed_at = event.sequence
        self._audience.deliver(self, event, text)

    def _pass_on_early(self) -> None:
        """Pass on what waited, as far as it follows without a gap and needs no rendering."""
        while (event := self._early.get(self.head + 1)) is not None and event.text is not None:
            del self._early[event.sequence]
            self._pass_on(event, event.text)

    async def _read_log(self, up_to: int, grace: float) -> None:
        """Pass on what lies above the head from the database, until nothing waits and nothing is missing.

        When the head reaches `up_to` within the grace, nothing was missing.
        """
        try:
            if grace:
                await asyncio.sleep(grace)
                if self.head >= up_to and not self._early:
                    return
            while self._audience.has(self):
                announced = max(self._early, default=0)
                found = await in_database_thread(
                    registry.log().read, self.conversation_id, after=self.head, viewers=self._audience.viewers()
                )
                for event in found:
                    if event.sequence == self.head + 1:
                        self._pass_on(event, event.text)
                self._pass_on_early()
                self._drop_early(self.head)
                if not found:
                    # What was announced before the look is committed: if the log does not give it, nobody misses it.
                    self._drop_early(announced)
                    if not self._early:
                        return
                elif not self._early and len(found) < 2:
                    return
        except TryAgain:
            self._early.clear()  # the sweep comes back to it
        except Exception:
            log.exception("the log of %s could not be read", self.conversation_id)
            self._early.clear()
        finally:
            self.filling = None
            self._audience.drop_if_empty(self)

    def _drop_early(self, up_to: int) -> None:
        for sequence in [sequence for sequence in self._early if sequence <= up_to]:
            del self._early[sequence]
