"""Conversations on the socket: catch-up, and the log as the hub reads it."""

import asyncio
import datetime
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import chain
from uuid import UUID
from weakref import WeakKeyDictionary

from django.db.models import Max

from conversations import catch_up, epoch, event_log, frames, selectors
from conversations.models import Event, Participant
from realtime import registry
from realtime.database.look_back import LookBack
from realtime.database.threads import in_database_thread
from realtime.fanout.sockets import Socket
from realtime.registry import Attachment, Attachments, Recent
from realtime.wire.announcements import EventAnnouncement
from realtime.wire.bodies import encode
from realtime.wire.frames import EventHidden
from realtime.wire.wire_frame import WireFrame

PAGE = 200
# What was read for a client is kept until it has taken it: little, since perhaps it reads nothing. So a page has as
# many events as fill so many bytes, going by the page before.
FIRST_PAGE, LARGEST_PAGE, PAGE_BYTES = 50, 500, 128 * 1024
# Of a herd that comes back at once, so many read at a time: the interpreter is also needed by those who chat.
CATCH_UPS_AT_ONCE = 2
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


async def sync(socket: Socket, command: frames.Sync) -> None:
    """Send what the client missed, in order, then say that it is complete. Live events wait meanwhile."""
    socket.start_buffering()
    # How far each conversation was dealt with here; a live event beyond that is still news to the client.
    covered: dict[str, int] = {}
    page = FIRST_PAGE
    try:
        first = found = await _missed(socket, command.cursors, command.since, command.epoch, page)
        resync = first.resync
        cursors: Mapping[UUID, int] = command.cursors
        while True:
            size = await _send(socket, found)
            done = map(str, cursors.keys() - found.remaining.keys())
            covered |= {id: found.heads[id] for id in done if id in found.heads}
            cursors = found.remaining
            if not cursors or socket.closing:
                break
            page = max(1, min(LARGEST_PAGE, page * PAGE_BYTES // max(1, size)))
            found = await _missed(socket, cursors, None, UUID(first.epoch), page)
            resync += found.resync
        await socket.outbox.room()
        # As far as this sync went: what was written between its parts comes after it.
        heads = {id: covered.get(id, head) for id, head in found.heads.items()}
        socket.send(
            frames.SyncComplete(
                heads=heads, resync=resync, epoch=first.epoch, server_time=first.server_time, id=command.id
            )
        )
    finally:
        socket.release(covered)


async def _missed(
    socket: Socket, cursors: Mapping[UUID, int], since: datetime.datetime | None, in_epoch: UUID | None, most: int
) -> catch_up.Missed:
    """Read a page for a client that has taken what it was sent before."""
    await socket.outbox.room(for_more=True)
    turns = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(CATCH_UPS_AT_ONCE))
    async with turns:
        return await in_database_thread(catch_up.missed, UUID(socket.user_id), cursors, since, in_epoch, most=most)


async def _send(socket: Socket, found: catch_up.Missed) -> int:
    """Send a page and let go of it; return its bytes."""
    missed = [*chain(*found.events.values()), *found.receipts]
    found.events.clear()
    found.receipts.clear()
    size = 0
    for frame in missed:
        await socket.outbox.room()
        wire = WireFrame(encode(frame))
        socket.outbox.deliver(wire)
        size += wire.size
    return size


class ConversationLog:
    """The registered event log."""

    def __init__(self) -> None:
        # The first look reaches back a little, for what was committed while the process started.
        self._look_back = LookBack(first=PAGE)

    def attachments(self, user_ids: Sequence[str]) -> list[Attachments]:
        """Return the epoch of the log and all conversations of each user, in one snapshot."""
        now, heads = selectors.heads_of_each([UUID(user_id) for user_id in user_ids])
        return [
            (now, [Attachment(str(id), log.last_sequence, log.history_from) for id, log in mine.items()])
            for mine in heads
        ]

    def read(self, conversation_id: str, *, after: int, viewers: Collection[str]) -> list[EventAnnouncement]:
        """Return the events above `after`, in order, at most a page, rendered for `viewers`."""
        events = selectors.events_between({UUID(conversation_id): (after, after + PAGE)})
        shared = [event for event in events if event.kind not in event_log.PER_VIEWER_KINDS]
        texts = {
            event.id: encode(frame).decode()
            for event, frame in zip(shared, event_log.rendered(shared, None), strict=True)
        }
        return [self._log_event(event, texts.get(event.id), viewers) for event in events]

    def recent(self) -> Recent:
        """Return what was committed lately."""
        in_epoch = epoch.current()
        floor = self._look_back.floor(Event.objects.aggregate(newest=Max("id"))["newest"] or 0)
        lately = Event.objects.filter(id__gt=floor)
        heads = dict(lately.values_list("conversation_id").annotate(head=Max("sequence")).order_by())
        return Recent(in_epoch, heads={str(id): head for id, head in heads.items()}, joins=self._joins(floor))

    def _joins(self, floor: int) -> dict[str, dict[str, int]]:
        """Return who came lately, and by which event; not who was there before, and holds the log up to now."""
        came = set(
            Event.objects.filter(
                id__gt=floor, kind__in=[Event.Kind.CONVERSATION_CREATED, Event.Kind.PARTICIPANT_ADDED]
            ).values_list("conversation_id", "sequence")
        )
        participants = Participant.objects.filter(
            conversation_id__in={conversation_id for conversation_id, _ in came}, left_at=None
        ).values_list("conversation_id", "user_id", "history_from")
        joins: dict[str, dict[str, int]] = defaultdict(dict)
        for conversation_id, user_id, history_from in participants:
            if (conversation_id, history_from) in came:
                joins[str(conversation_id)][str(user_id)] = history_from
        return joins

    def _log_event(self, event: event_log.EventRow, text: str | None, viewers: Collection[str]) -> EventAnnouncement:
        """Render one event; who joins by it counts only as far as it is still so."""
        rendered = EventAnnouncement(str(event.conversation_id), event.sequence, text, event.subject_sequence)
        if event.kind == Event.Kind.MY_PLACE_UPDATED:
            # Hidden from all but one; that one may be connecting just now, so it is rendered whoever is here.
            hidden = EventHidden(conversation_id=rendered.conversation_id, sequence=event.sequence)
            rendered.text = encode(hidden).decode()
            own = selectors.render_own_settings([event], event.user_id)
            rendered.texts = {str(event.user_id): encode(own[event.id]).decode()}
        elif event.kind in event_log.PER_VIEWER_KINDS:
            shown = selectors.render_for_members(event, viewers)
            rendered.texts = {user_id: encode(frame).decode() for user_id, frame in shown.items()}
        if event.kind in (Event.Kind.CONVERSATION_CREATED, Event.Kind.PARTICIPANT_ADDED):
            participants = Participant.objects.filter(
                conversation_id=event.conversation_id, history_from=event.sequence, left_at=None
            )
            rendered.joins = {
                str(user_id): event.sequence for user_id in participants.values_list("user_id", flat=True)
            }
        elif event.kind == Event.Kind.PARTICIPANT_REMOVED:
            rendered.leaves = [str(event.user_id)]
        return rendered


def register() -> None:
    """Register with the ground floor and the event log; called once, when the apps are ready."""
    registry.register_command(frames.Sync, sync)
    registry.register_frames(
        frames.SyncComplete,
        frames.ConversationCreated,
        frames.ConversationUpdated,
        frames.ParticipantAdded,
        frames.ParticipantUpdated,
        frames.ParticipantRemoved,
        frames.MyPlaceUpdated,
    )
    registry.register_log(ConversationLog())
    event_log.register_renderer(
        [
            Event.Kind.CONVERSATION_CREATED,
            Event.Kind.CONVERSATION_UPDATED,
            Event.Kind.PARTICIPANT_ADDED,
            Event.Kind.PARTICIPANT_UPDATED,
            Event.Kind.PARTICIPANT_REMOVED,
        ],
        selectors.render_events,
    )
    event_log.register_renderer([Event.Kind.MY_PLACE_UPDATED], selectors.render_own_settings)
