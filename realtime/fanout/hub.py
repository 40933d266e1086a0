"""The hub: conversation -> sockets of this process, and who of them is told what.

A process is itself a client of the log: each conversation with sockets here follows its log (`topic`). So a
wake-up may be lost, doubled or reordered and the sockets still see every event once and in order.

Not here: how wake-ups travel (`door`), how bytes leave (`sockets`), who may sign in (`consumer`).
"""

import logging
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping

from realtime import registry
from realtime.database.crash import crash_point
from realtime.database.lanes import Lanes
from realtime.database.threads import submit_read
from realtime.fanout import sockets
from realtime.fanout.sockets import Socket
from realtime.fanout.topic import Topic
from realtime.registry import Attachment, Attachments
from realtime.wire.bodies import encode
from realtime.wire.frames import EventHidden, Heads
from realtime.wire.items import Ended, Event, Item, Notice, RowKey
from realtime.wire.wire_frame import WireFrame

log = logging.getLogger("chatsite.hub")

# More than the receipts that a sweep looks back on.
SEEN_ROWS = 200_000


class Hub:
    """All sockets of this process. Used from the event loop only."""

    def __init__(self) -> None:
        # Of the log that is followed; nothing of it is known while nobody is here.
        self.epoch = ""
        # The sweep last compared it with the database then, by the monotonic clock: nothing older is unknown here.
        self.followed_at = time.monotonic()
        self.users: dict[str, set[Socket]] = {}
        self.topics: dict[str, Topic] = {}
        # Sockets that were attached since the sweep looked at their sessions last.
        self.newcomers: list[Socket] = []
        # Joins and removals that came in while some socket was being attached: conversation -> sequence.
        self._attaching = 0
        self._changed_meanwhile: dict[str, int] = {}
        # When a herd comes back, one statement looks up several people: few, for all are attached in one turn.
        self._look_ups: Lanes[str, Attachments] = Lanes(
            lambda user_ids: registry.log().attachments(user_ids), count=1, most=8, submit=submit_read
        )
        self._seen_rows: set[RowKey] = set()
        self._seen_order: deque[RowKey] = deque()

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
                epoch, attachments = await self._look_ups.run(socket.user_id, socket.user_id)
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

    def has_seen(self, row_key: RowKey) -> bool:
        """Return whether the notice of this row was passed on already; may be asked from any thread."""
        return row_key in self._seen_rows

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
        topic = self.topics[conversation_id] = Topic(conversation_id, head, self)
        return topic

    def _join(self, topic: Topic, socket: Socket, history_from: int) -> None:
        topic.members[socket] = history_from
        socket.topics[topic.conversation_id] = topic

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
                self._open(conversation_id, min(mine) - 1).read_up_to(min(mine), grace=0)
        for conversation_id, head in recent.heads.items():
            topic = self.topics.get(conversation_id)
            if topic is not None:
                topic.look_after(head)

    def _offer_event(self, event: Event) -> None:
        if self._attaching and (event.joins or event.leaves):
            self._changed_meanwhile[event.conversation_id] = event.sequence
        topic = self.topics.get(event.conversation_id)
        if topic is None:
            if not any(user_id in self.users for user_id in event.joins):
                return
            topic = self._open(event.conversation_id, event.sequence - 1)
        topic.offer(event)

    def _notify(self, notice: Notice) -> None:
        if notice.row_key is not None and not self._first_time(notice.row_key):
            return
        frame = WireFrame(notice.text.encode())
        for socket in self._audience(notice):
            if socket.session_id != notice.except_session and socket.user_id not in notice.except_users:
                socket.deliver_notice(frame, droppable=notice.droppable)

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
            if ended.session_id == socket.session_id and socket.connection_id != ended.except_connection:
                socket.close(ended.code)

    def _first_time(self, row_key: RowKey) -> bool:
        if row_key in self._seen_rows:
            return False
        self._seen_rows.add(row_key)
        self._seen_order.append(row_key)
        if len(self._seen_order) > SEEN_ROWS:
            self._seen_rows.discard(self._seen_order.popleft())
        return True

    # --- What topics ask of their audience ------------------------------------------------

    def viewers(self) -> Collection[str]:
        """Return whose sockets are here."""
        return frozenset(self.users)

    def admit(self, topic: Topic, joins: Mapping[str, int]) -> None:
        """Make the sockets of these users members, each from their history start on."""
        for user_id, history_from in joins.items():
            for socket in self.users.get(user_id, ()):
                came = socket not in topic.members
                self._join(topic, socket, history_from)
                if came:
                    for joined in registry.joined_listeners:
                        joined(socket)

    def deliver(self, topic: Topic, event: Event, text: str | None) -> None:
        """Pass an event on to every member, each according to what they may see; then part with those who left."""
        conversation_id, sequence, subject = topic.conversation_id, event.sequence, event.subject_sequence
        shared = WireFrame(text.encode()) if text is not None else None
        for socket, history_from in list(topic.members.items()):
            if sequence < history_from:
                continue  # a hub that lags behind tells nobody of the time before they came
            if subject < history_from:
                hidden = EventHidden(conversation_id=conversation_id, sequence=sequence)
                socket.deliver_event(conversation_id, sequence, WireFrame(encode(hidden)))
            elif event.texts and (own := event.texts.get(socket.user_id)) is not None:
                socket.deliver_event(conversation_id, sequence, WireFrame(own.encode()))
            elif shared is not None:
                socket.deliver_event(conversation_id, sequence, shared)
            crash_point("mid_fanout")
        for user_id in event.leaves:
            for socket in self.users.get(user_id, ()):
                self._part(topic, socket)

    def has(self, topic: Topic) -> bool:
        """Return whether the topic is still one of this process."""
        return self.topics.get(topic.conversation_id) is topic

    def drop_if_empty(self, topic: Topic) -> None:
        """Forget the topic if it has no member."""
        if not topic.members and self.has(topic):
            del self.topics[topic.conversation_id]


hub = Hub()
