"""An in-memory log for the hub, which can be made to answer late."""

import threading
from collections.abc import Callable, Collection, Sequence

from realtime.fanout.hub import Hub
from realtime.registry import Attachment, Attachments, Recent
from realtime.wire.announcements import EventAnnouncement
from tests.waiting import DEADLINE, until


class FakeLog:
    """Conversations in memory behind the interface that the hub uses."""

    def __init__(self) -> None:
        self.epoch = "first"
        self.events: dict[str, list[EventAnnouncement]] = {}
        # (conversation, user) -> the first sequence that the user may see.
        self.history_starts: dict[tuple[str, str], int] = {}
        self.reads: list[tuple[str, int]] = []
        # Called in the reading thread when the answer is ready and before it is returned.
        self.before_answering: Callable[[], None] = lambda: None

    def commit(
        self,
        conversation_id: str,
        *,
        rendered: bool = True,
        subject: int | None = None,
        joins: Collection[str] = (),
        leaves: Collection[str] = (),
    ) -> EventAnnouncement:
        """Commit the next event and return its announcement, which a test may deliver, delay or lose."""
        log = self.events.setdefault(conversation_id, [])
        sequence = len(log) + 1
        text = f'{{"conversation":"{conversation_id}","sequence":{sequence}}}'
        for user_id in joins:
            self.history_starts[conversation_id, user_id] = sequence
        for user_id in leaves:
            self.history_starts.pop((conversation_id, user_id), None)
        event = EventAnnouncement(
            conversation_id,
            sequence,
            text if rendered else None,
            sequence if subject is None else subject,
            joins=dict.fromkeys(joins, sequence),
            leaves=list(leaves),
        )
        if not rendered:
            members = [user for id, user in self.history_starts if id == conversation_id]
            event.texts = {user: f'{text[:-1]},"for":"{user}"}}' for user in members}
        log.append(event)
        joined, left = dict(event.joins), list(event.leaves)
        return EventAnnouncement(conversation_id, sequence, event.text, event.subject_sequence, joined, left)

    def attachments(self, user_ids: Sequence[str]) -> list[Attachments]:
        found = [(self.epoch, self._attachments(user_id)) for user_id in user_ids]
        self.before_answering()
        return found

    def _attachments(self, user_id: str) -> list[Attachment]:
        return [
            Attachment(conversation_id, len(self.events[conversation_id]), history_from)
            for (conversation_id, user), history_from in self.history_starts.items()
            if user == user_id
        ]

    def read(self, conversation_id: str, *, after: int, viewers: Collection[str]) -> list[EventAnnouncement]:
        self.reads.append((conversation_id, after))
        found = [event for event in self.events.get(conversation_id, []) if event.sequence > after][:200]
        self.before_answering()
        return found

    def recent(self) -> Recent:
        """Return everything as if it were recent."""
        joins: dict[str, dict[str, int]] = {}
        for (conversation_id, user_id), history_from in self.history_starts.items():
            joins.setdefault(conversation_id, {})[user_id] = history_from
        return Recent(self.epoch, {id: len(log) for id, log in self.events.items()}, joins)

    def current_epoch(self) -> str:
        return self.epoch


class Gate:
    """Lets a test act while the log is about to answer: the n-th answer waits for `let_through`."""

    def __init__(self, log: FakeLog, *, at: int = 1) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()
        self._left = at
        log.before_answering = self._wait

    def let_through(self) -> None:
        self._open.set()

    def _wait(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.reached.set()
            assert self._open.wait(DEADLINE)


async def reached(gate: Gate) -> None:
    await until(gate.reached.is_set)


async def settled(hub: Hub) -> None:
    """Wait until no topic is reading the log."""
    await until(lambda: all(topic.filling is None for topic in hub.topics.values()))
