"""The hub: the sockets of this process by conversation and by user, and which of them gets which frame.

A process is itself a client of the log: for each conversation with sockets here a `Topic` follows the log. So an
announcement may be lost, doubled or reordered, and the sockets still get every event once and in order.

Not here: how announcements travel (`door`), how bytes leave (`outbox`), who may sign in (`handshake`).
"""

import logging
import time
from collections import deque
from collections.abc import Collection, Iterable, Mapping

from realtime.database.crash import crash_point
from realtime.database.lanes import Lanes
from realtime.database.threads import submit_read
from realtime.fanout.sockets import Socket
from realtime.fanout.topic import Topic
from realtime.registry import Attachment, Attachments, Recent, registry
from realtime.wire.announcements import Announcement, CloseSockets, EphemeralEvent, EventAnnouncement, RowKey
from realtime.wire.bodies import encode
from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import EventHidden, Heads
from realtime.wire.wire_frame import WireFrame

log = logging.getLogger("chatsite.hub")

# More than the receipts in the look-back window of a sweep.
SEEN_ROWS = 200_000


class Hub:
    """All sockets of this process. Used from the event loop only."""

    def __init__(self) -> None:
        # Epoch of the log that this hub follows; empty while no socket is connected.
        self.epoch = ""
        # When the sweep last compared the hub with the database, by the monotonic clock: all older events are known.
        self.followed_at = time.monotonic()
        self.users: dict[str, set[Socket]] = {}
        self.topics: dict[str, Topic] = {}
        # Sockets whose sessions the sweep has not checked since they were attached.
        self.newcomers: list[Socket] = []
        # How many sockets are being attached, and the joins and removals meanwhile: conversation -> sequence.
        self._attaching = 0
        self._changed_meanwhile: dict[str, int] = {}
        # When many clients reconnect at once, one statement looks up several users. At most 8: all of a batch are
        # attached in one turn of the event loop.
        self._look_ups: Lanes[str, Attachments] = Lanes(
            lambda user_ids: registry.log.attachments(user_ids), count=1, most=8, submit=submit_read
        )
        self._seen_rows: set[RowKey] = set()
        self._seen_order: deque[RowKey] = deque()

    # --- Sockets come and go --------------------------------------------------------------

    async def attach(self, socket: Socket) -> None:
        """Make a signed-in socket a member of the topics of all its user's conversations.

        The answer of the database may be older than a join or removal that this hub has delivered meanwhile. Then
        the hub asks again: a membership that has ended must attach nobody.

        :raises TryAgain: the database is away.
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
        sockets = self.users.get(socket.user_id)
        if sockets is not None:
            sockets.discard(socket)
            if not sockets:
                del self.users[socket.user_id]
        for topic in list(socket.topics.values()):
            self._leave(topic, socket)
        if not self.users:
            self._forget_log()

    def all_sockets(self) -> list[Socket]:
        """Return every signed-in socket of this process."""
        return [socket for sockets in self.users.values() for socket in sockets]

    def heads(self, socket: Socket) -> Heads:
        """Return the digest of the socket's log heads, from memory."""
        topics = socket.topics.values()
        return Heads(count=len(topics), checksum=sum(topic.checksum for topic in topics) % 2**32)

    def has_seen(self, row_key: RowKey) -> bool:
        """Return whether the ephemeral event of this row was delivered already. Safe from any thread."""
        return row_key in self._seen_rows

    def _follows(self, epoch: str) -> bool:
        """Return whether the hub follows the log in this epoch, in which the log was just read.

        If it followed the log in another epoch, it closes all sockets, also those that are being attached, and
        forgets the topics: the sequences of one epoch mean nothing in another.
        """
        if self.epoch and self.epoch != epoch:
            sockets = self.all_sockets()
            log.warning("another epoch of the log has begun; %d sockets are closed", len(sockets))
            for socket in sockets:
                socket.close(CloseCode.RESTART)
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

    def _leave(self, topic: Topic, socket: Socket) -> None:
        topic.members.pop(socket, None)
        socket.topics.pop(topic.conversation_id, None)
        if not topic.members:
            self.topics.pop(topic.conversation_id, None)

    # --- Announcements come in ------------------------------------------------------------

    def offer(self, announcements: Iterable[Announcement]) -> None:
        """Deliver announcements of this process or another."""
        for announcement in announcements:
            if isinstance(announcement, EventAnnouncement):
                self._offer_event(announcement)
            elif isinstance(announcement, EphemeralEvent):
                self._offer_ephemeral(announcement)
            else:
                self._close_sockets(announcement)

    def offer_recent(self, recent: Recent) -> None:
        """Take what the sweep found in the database, and read the events whose announcements were lost."""
        if not self._follows(recent.epoch):
            return
        for conversation_id, joins in recent.joins.items():
            joined_here = [joins[user_id] for user_id in joins if user_id in self.users]
            if conversation_id not in self.topics and joined_here:
                self._open(conversation_id, min(joined_here) - 1).read_up_to(min(joined_here), grace=0)
        for conversation_id, head in recent.heads.items():
            topic = self.topics.get(conversation_id)
            if topic is not None:
                topic.look_after(head)

    def _offer_event(self, event: EventAnnouncement) -> None:
        if self._attaching and (event.joins or event.leaves):
            self._changed_meanwhile[event.conversation_id] = event.sequence
        topic = self.topics.get(event.conversation_id)
        if topic is None:
            if not any(user_id in self.users for user_id in event.joins):
                return
            topic = self._open(event.conversation_id, event.sequence - 1)
        topic.offer(event)

    def _offer_ephemeral(self, event: EphemeralEvent) -> None:
        if event.row_key is not None and not self._first_time(event.row_key):
            return
        frame = WireFrame(event.text.encode())
        for socket in self._audience(event):
            if socket.session_id != event.except_session and socket.user_id not in event.except_users:
                socket.deliver_ephemeral(frame, droppable=event.droppable)

    def _audience(self, event: EphemeralEvent) -> list[Socket]:
        if event.conversation_id is None:
            return [socket for user_id in event.user_ids or () for socket in self.users.get(user_id, ())]
        topic = self.topics.get(event.conversation_id)
        if topic is None:
            return []
        members = topic.members
        subject = event.subject_sequence
        if event.user_ids is None:
            found = list(members)
        else:
            found = [s for user_id in event.user_ids for s in self.users.get(user_id, ()) if s in members]
        return found if subject is None else [socket for socket in found if members[socket] <= subject]

    def _close_sockets(self, order: CloseSockets) -> None:
        for socket in list(self.users.get(order.user_id, ())):
            if order.session_id == socket.session_id and socket.connection_id != order.except_connection:
                socket.close(order.code)

    def _first_time(self, row_key: RowKey) -> bool:
        if row_key in self._seen_rows:
            return False
        self._seen_rows.add(row_key)
        self._seen_order.append(row_key)
        if len(self._seen_order) > SEEN_ROWS:
            self._seen_rows.discard(self._seen_order.popleft())
        return True

    # --- The audience of topics -----------------------------------------------------------

    def viewers(self) -> Collection[str]:
        """Return the ids of the users with sockets here."""
        return frozenset(self.users)

    def admit(self, topic: Topic, joins: Mapping[str, int]) -> None:
        """Make the sockets of these users members, with the history start of each user."""
        for user_id, history_from in joins.items():
            for socket in self.users.get(user_id, ()):
                came = socket not in topic.members
                self._join(topic, socket, history_from)
                if came:
                    for joined in registry.joined_listeners:
                        joined(socket)

    def deliver(self, topic: Topic, event: EventAnnouncement, text: str | None) -> None:
        """Deliver an event to every member, as far as each may see it; then remove the members who left with it."""
        conversation_id, sequence, subject = topic.conversation_id, event.sequence, event.subject_sequence
        shared = WireFrame(text.encode()) if text is not None else None
        for socket, history_from in list(topic.members.items()):
            if sequence < history_from:
                continue  # a hub that lags behind must not show a member events from before the history start
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
                self._leave(topic, socket)

    def has(self, topic: Topic) -> bool:
        """Return whether this process still follows the topic."""
        return self.topics.get(topic.conversation_id) is topic

    def drop_if_empty(self, topic: Topic) -> None:
        """Forget the topic if it has no member."""
        if not topic.members and self.has(topic):
            del self.topics[topic.conversation_id]


hub = Hub()
