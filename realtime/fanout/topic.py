"""One conversation in this process: follows its log, and delivers each event once and in order.

Like any client of the log it delivers the event after the head, ignores older ones, keeps early ones, and reads
missing ones from the database.
"""

import asyncio
import logging
import zlib
from collections.abc import Collection, Mapping
from typing import Protocol

from realtime.database.threads import in_database_thread
from realtime.fanout.sockets import Socket
from realtime.registry import registry
from realtime.wire.announcements import EventAnnouncement
from realtime.wire.errors import TryAgain

log = logging.getLogger("chatsite.hub")

# An announcement that overtook another is normally followed by it within milliseconds.
GRACE_SECONDS = 0.05


class Audience(Protocol):
    """What a topic needs of the hub of this process."""

    def viewers(self) -> Collection[str]:
        """Return the ids of the users with sockets here, for events that look different to each viewer."""

    def admit(self, topic: "Topic", joins: Mapping[str, int]) -> None:
        """Make the sockets of these users members, with the history start of each user."""

    def deliver(self, topic: "Topic", event: EventAnnouncement, text: str | None) -> None:
        """Deliver an event to every member, as far as each may see it."""

    def has(self, topic: "Topic") -> bool:
        """Return whether this process still follows the topic."""

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
        # Sequence of the newest event that was delivered.
        self.head = head
        # Socket -> first sequence that its user may see.
        self.members: dict[Socket, int] = {}
        # Sequence of the newest join or removal that was delivered.
        self.membership_changed_at = 0
        # The task that reads missing events, while there is one.
        self.filling: asyncio.Task[None] | None = None
        self._audience = audience
        self._early: dict[int, EventAnnouncement] = {}
        self._checksum = (-1, 0)

    @property
    def checksum(self) -> int:
        """CRC-32 of the conversation's id and head, as `frames.Heads` defines it."""
        if self._checksum[0] != self.head:
            self._checksum = (self.head, zlib.crc32(f"{self.conversation_id}:{self.head}".encode()))
        return self._checksum[1]

    def offer(self, event: EventAnnouncement) -> None:
        """Take an announced event: deliver it, keep it until its turn, or ignore it."""
        if event.sequence <= self.head:
            return
        follows = event.sequence == self.head + 1
        if self.filling is None and follows and event.text is not None:
            self._deliver(event, event.text)
            return
        self._early[event.sequence] = event
        if follows:
            # Members from the commit on: their commands count while the frames are still being rendered.
            self._audience.admit(self, event.joins)
        if self.filling is None:
            self.read_up_to(event.sequence, grace=0 if follows else GRACE_SECONDS)
        else:
            self._deliver_early()

    def look_after(self, head: int) -> None:
        """Make sure that the log is delivered up to this event, which is committed."""
        if head > self.head and self.filling is None:
            # Normally its announcement is on the way.
            self.read_up_to(head, grace=GRACE_SECONDS)

    def read_up_to(self, sequence: int, *, grace: float) -> None:
        """Start to read the log after `grace` seconds, within which the announcements may still arrive."""
        self.filling = asyncio.ensure_future(self._read_log(sequence, grace))

    def _deliver(self, event: EventAnnouncement, text: str | None) -> None:
        self._audience.admit(self, event.joins)
        self.head = event.sequence
        if event.joins or event.leaves:
            self.membership_changed_at = event.sequence
        self._audience.deliver(self, event, text)

    def _deliver_early(self) -> None:
        """Deliver the early events that follow without a gap and need no rendering."""
        while (event := self._early.get(self.head + 1)) is not None and event.text is not None:
            del self._early[event.sequence]
            self._deliver(event, event.text)

    async def _read_log(self, up_to: int, grace: float) -> None:
        """Deliver the events above the head from the database, until no early event waits and none is missing.

        If the head reaches `up_to` within the grace, none was missing.
        """
        try:
            if grace:
                await asyncio.sleep(grace)
                if self.head >= up_to and not self._early:
                    return
            while self._audience.has(self):
                announced = max(self._early, default=0)
                found = await in_database_thread(
                    registry.log.read, self.conversation_id, after=self.head, viewers=self._audience.viewers()
                )
                for event in found:
                    if event.sequence == self.head + 1:
                        self._deliver(event, event.text)
                self._deliver_early()
                self._drop_early(self.head)
                if not found:
                    # All that was announced before this read is committed. If the log does not return an event,
                    # it need not be delivered.
                    self._drop_early(announced)
                    if not self._early:
                        return
                elif not self._early and len(found) < 2:
                    return
        except TryAgain:
            self._early.clear()  # the database is away; the sweep finds these events later
        except Exception:
            log.exception("the log of %s could not be read", self.conversation_id)
            self._early.clear()
        finally:
            self.filling = None
            self._audience.drop_if_empty(self)

    def _drop_early(self, up_to: int) -> None:
        for sequence in [sequence for sequence in self._early if sequence <= up_to]:
            del self._early[sequence]
