"""The hub: conversation -> sockets of this process, and delivery strictly in sequence.

A process is itself a client of the log. For each conversation with sockets here it knows the head
that it delivered: an event that follows is passed on, one that was seen is ignored, and one that came
too early waits until what lies between was read from the database. So a wake-up may be lost,
doubled or reordered and the sockets still see every event once and in order.

Not here: how wake-ups travel (`door`), how bytes leave (`sockets`), who may sign in (`consumer`).
"""

import asyncio
import logging
import zlib
from collections import deque
from collections.abc import Iterable, Mapping

from realtime import registry, sockets
from realtime.bodies import encode
from realtime.crash import crash_point
from realtime.errors import TryAgain
from realtime.frames import EventHidden, Heads
from realtime.items import Ended, Event, Item, Notice
from realtime.registry import Attachment, LogEvent
from realtime.sockets import Socket
from realtime.threads import in_database_thread
from realtime.wire import WireFrame

log = logging.getLogger("chatsite.hub")

# A wake-up that overtook another is normally followed by it within milliseconds.
GRACE_SECONDS = 0.05
# More than the receipts that a sweep looks back on.
SEEN_ROWS = 200_000


class Topic:
    """One conversation that has sockets in this process."""

    __slots__ = ("_checksum", "conversation_id", "early", "filling", "head", "members", "membership_changed_at")

    def __init__(self, conversation_id: str, head: int) -> None:
        self.conversation_id = conversation_id
        self.head = head
        # Socket -> first sequence that its user may see.
        self.members: dict[Socket, int] = {}
        # Sequence of the newest join or removal that was delivered here.
        self.membership_changed_at = 0
        self.early: dict[int, Event] = {}
        self.filling: asyncio.Task[None] | None = None
        self._checksum = (-1, 0)

    @property
    def checksum(self) -> int:
        """CRC-32 of the conversation's id and head, as `frames.Heads` defines it."""
        if self._checksum[0] != self.head:
            self._checksum = (self.head, zlib.crc32(f"{self.conversation_id}:{self.head}".encode()))
        return self._checksum[1]


class Hub:
    """All sockets of this process. Used from the event loop only."""

    def __init__(self) -> None:
        # Of the log that is followed; nothing of it is known while nobody is here.
        self.epoch = ""
        self.users: dict[str, set[Socket]] = {}
        self.topics: dict[str, Topic] = {}
        # Sockets that were attached since the sweep looked at their sessions last.
        self.newcomers: list[Socket] = []
        # Joins and removals that came in while some socket was being attached: conversation -> sequence.
        self._attaching = 0
        self._changed_meanwhile: dict[str, int] = {}
        self._seen_rows: set[int] = set()
        self._seen_order: deque[int] = deque()

    # --- Sockets come and go --------------------------------------------------------------

    async def attach(self, socket: Socket) -> None:
        """Make a signed-in socket a member of all its user's conversations.

        What the database said may be older than a join or removal that this hub has delivered meanwhile:
        then it is asked again, so that nobody is attached by a membership that has ended.

        :raises TryAgain: when the database is away.
        """
        self.users.setdefault(socket.user_id, set()).add(socket)
        self._attaching += 1
        try:
            while True:
                epoch, attachments = await in_database_thread(registry.log().attachments, socket.user_id)
                if socket.closing or not self._follows(epoch):
                    return
                if not any(self._is_outdated(attachment) for attachment in attachments):
                    break
        finally:
            self._attaching -= 1
            if not self._attaching:
                self._changed_meanwhile.clear()
        for attachment in attachments:
            topic = self.topics.get(attachment.conversation_id)
            if topic is None:
                topic = self._open(attachment.conversation_id, attachment.last_sequence)
            self._join(topic, socket, attachment.history_from)
        self.newcomers.append(socket)

    def detach(self, socket: Socket) -> None:
        """Forget a socket."""
        mine = self.users.get(socket.user_id)
        if mine is not None:
            mine.discard(socket)
            if not mine:
                del self.users[socket.user_id]
        for topic in list(socket.topics.values()):
            self._part(topic, socket)
        if not self.users:
            self._forget_log()

    def all_sockets(self) -> list[Socket]:
        """Return every signed-in socket of this process."""
        return [socket for mine in self.users.values() for socket in mine]

    def heads(self, socket: Socket) -> Heads:
        """Return the digest of the socket's log heads, from memory."""
        topics = socket.topics.values()
        return Heads(count=len(topics), checksum=sum(topic.checksum for topic in topics) % 2**32)

    def has_seen(self, row_id: int) -> bool:
        """Return whether the notice of this row was passed on already; may be asked from any thread."""
        return row_id in self._seen_rows

    def _follows(self, epoch: str) -> bool:
        """Return whether the log is followed in this epoch, in which something was just read of it.

        If it was followed in another one, all sockets are closed, those that are being attached included, and what
        was known is forgotten: the sequences of the one mean nothing in the other.
        """
        if self.epoch and self.epoch != epoch:
            mine = self.all_sockets()
            log.warning("another epoch of the log has begun; %d sockets are closed", len(mine))
            for socket in mine:
                socket.close(sockets.RESTART)
            self._forget_log()
            self.epoch = epoch
            return False
        self.epoch = epoch
        return True

    def _forget_log(self) -> None:
        self.epoch = ""
        for topic in self.topics.values():
            if topic.filling is not None:
                topic.filling.cancel()
            for socket in topic.members:
                socket.topics.clear()
        self.topics.clear()
        self._seen_rows.clear()
        self._seen_order.clear()

    def _is_outdated(self, attachment: Attachment) -> bool:
        topic = self.topics.get(attachment.conversation_id)
        changed_at = topic.membership_changed_at if topic is not None else 0
        changed_at = max(changed_at, self._changed_meanwhile.get(attachment.conversation_id, 0))
        return changed_at > attachment.last_sequence

    def _open(self, conversation_id: str, head: int) -> Topic:
        topic = self.topics[conversation_id] = Topic(conversation_id, head)
        return topic

    def _join(self, topic: Topic, socket: Socket, history_from: int) -> None:
        topic.members[socket] = history_from
        socket.topics[topic.conversation_id] = topic

    def _join_all(self, topic: Topic, joins: Mapping[str, int]) -> None:
        for user_id, history_from in joins.items():
            for socket in self.users.get(user_id, ()):
                came = socket not in topic.members
                self._join(topic, socket, history_from)
                if came:
                    for joined in registry.joined_listeners:
                        joined(socket)

    def _part(self, topic: Topic, socket: Socket) -> None:
        topic.members.pop(socket, None)
        socket.topics.pop(topic.conversation_id, None)
        if not topic.members:
            self.topics.pop(topic.conversation_id, None)

    # --- Items come in --------------------------------------------------------------------

    def offer(self, items: Iterable[Item]) -> None:
        """Take what a commit announced, from this process or another."""
        for item in items:
            if isinstance(item, Event):
                self._offer_event(item)
            elif isinstance(item, Notice):
                self._notify(item)
            else:
                self._end(item)

    def offer_recent(self, recent: registry.Recent) -> None:
        """Take what the sweep found in the database; anything that a lost wake-up withheld is fetched now."""
        if not self._follows(recent.epoch):
            return
        for conversation_id, joins in recent.joins.items():
            mine = [joins[user_id] for user_id in joins if user_id in self.users]
            if conversation_id not in self.topics and mine:
                self._fill(self._open(conversation_id, min(mine) - 1), min(mine), grace=0)
        for conversation_id, head in recent.heads.items():
            topic = self.topics.get(conversation_id)
            if topic is not None and head > topic.head and topic.filling is None:
                # Mostly it is just on its way from the commit to this hub.
                self._fill(topic, head, grace=GRACE_SECONDS)

    def _offer_event(self, event: Event) -> None:
        if self._attaching and (event.joins or event.leaves):
            self._changed_meanwhile[event.conversation_id] = event.sequence
        topic = self.topics.get(event.conversation_id)
        if topic is None:
            if not any(user_id in self.users for user_id in event.joins):
                return
            topic = self._open(event.conversation_id, event.sequence - 1)
        if event.sequence <= topic.head:
            return
        if topic.filling is None and event.sequence == topic.head + 1 and event.text is not None:
            self._deliver(topic, event, event.text)
            return
        topic.early[event.sequence] = event
        follows = event.sequence == topic.head + 1
        if follows:
            # Members from the commit on: what they do while their frames are being rendered counts.
            self._join_all(topic, event.joins)
        if topic.filling is None:
            self._fill(topic, event.sequence, grace=0 if follows else GRACE_SECONDS)
        else:
            self._deliver_early(topic)

    def _notify(self, notice: Notice) -> None:
        if notice.row_id is not None and not self._first_time(notice.row_id):
            return
        frame = WireFrame(notice.text.encode())
        for socket in self._audience(notice):
            if socket.session_id != notice.except_session:
                socket.deliver(frame, droppable=notice.droppable)

    def _audience(self, notice: Notice) -> list[Socket]:
        if notice.conversation_id is None:
            return [socket for user_id in notice.user_ids or () for socket in self.users.get(user_id, ())]
        topic = self.topics.get(notice.conversation_id)
        if topic is None:
            return []
        members = topic.members
        subject = notice.subject_sequence
        if notice.user_ids is None:
            found = list(members)
        else:
            found = [s for user_id in notice.user_ids for s in self.users.get(user_id, ()) if s in members]
        return found if subject is None else [socket for socket in found if members[socket] <= subject]

    def _end(self, ended: Ended) -> None:
        for socket in list(self.users.get(ended.user_id, ())):
            if ended.session_id in (None, socket.session_id) and socket.connection_id != ended.except_connection:
                socket.close(ended.code)

    def _first_time(self, row_id: int) -> bool:
        if row_id in self._seen_rows:
            return False
        self._seen_rows.add(row_id)
        self._seen_order.append(row_id)
        if len(self._seen_order) > SEEN_ROWS:
            self._seen_rows.discard(self._seen_order.popleft())
        return True

    # --- Delivery -------------------------------------------------------------------------

    def _deliver(self, topic: Topic, event: Event | LogEvent, text: str | None) -> None:
        """Pass the event that follows the head on to every member, each according to what they may see."""
        self._join_all(topic, event.joins)
        topic.head = event.sequence
        if event.joins or event.leaves:
            topic.membership_changed_at = event.sequence
        conversation_id, sequence, subject = topic.conversation_id, event.sequence, event.subject_sequence
        shared = WireFrame(text.encode()) if text is not None else None
        for socket, history_from in list(topic.members.items()):
            if sequence < history_from:
                continue  # a hub that lags behind tells nobody of the time before they came
            if subject < history_from:
                hidden = EventHidden(conversation_id=conversation_id, sequence=sequence)
                socket.deliver_event(conversation_id, sequence, WireFrame(encode(hidden)))
            elif shared is not None:
                socket.deliver_event(conversation_id, sequence, shared)
            elif isinstance(event, LogEvent) and (own := event.texts.get(socket.user_id)) is not None:
                socket.deliver_event(conversation_id, sequence, WireFrame(own.encode()))
            crash_point("mid_fanout")
        for user_id in event.leaves:
            for socket in self.users.get(user_id, ()):
                self._part(topic, socket)

    def _deliver_early(self, topic: Topic) -> None:
        """Pass on what waited, as far as it follows without a gap and needs no rendering."""
        while (event := topic.early.get(topic.head + 1)) is not None and event.text is not None:
            del topic.early[event.sequence]
            self._deliver(topic, event, event.text)

    def _fill(self, topic: Topic, up_to: int, *, grace: float) -> None:
        topic.filling = asyncio.ensure_future(self._read_log(topic, up_to, grace))

    async def _read_log(self, topic: Topic, up_to: int, grace: float) -> None:
        """Deliver what lies above the head from the database, until nothing waits and nothing is missing.

        When the head reaches `up_to` within the grace, nothing was missing.
        """
        try:
            if grace:
                await asyncio.sleep(grace)
                self._drop_early(topic, topic.head)
                if topic.head >= up_to and not topic.early:
                    return
            while self.topics.get(topic.conversation_id) is topic:
                announced = max(topic.early, default=0)
                found = await in_database_thread(
                    registry.log().read, topic.conversation_id, after=topic.head, viewers=frozenset(self.users)
                )
                for event in found:
                    if event.sequence == topic.head + 1:
                        self._deliver(topic, event, event.text)
                self._deliver_early(topic)
                self._drop_early(topic, topic.head)
                if not found:
                    # What was announced before the look is committed: if the log does not give it, nobody misses it.
                    self._drop_early(topic, announced)
                    if not topic.early:
                        return
                elif not topic.early and len(found) < 2:
                    return
        except TryAgain:
            topic.early.clear()  # the sweep comes back to it
        except Exception:
            log.exception("the log of %s could not be read", topic.conversation_id)
            topic.early.clear()
        finally:
            topic.filling = None
            if not topic.members and self.topics.get(topic.conversation_id) is topic:
                del self.topics[topic.conversation_id]

    def _drop_early(self, topic: Topic, up_to: int) -> None:
        for sequence in [sequence for sequence in topic.early if sequence <= up_to]:
            del topic.early[sequence]


hub = Hub()
