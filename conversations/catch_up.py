"""Catch-up: a client that was away gets exactly what it missed. Reads only.

`events_page` is a page of one log (`/events`). `missed` covers all conversations of a user at once, with a fixed
number of statements; the frame `sync` and its REST twin use it.
"""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings

from conversations import epoch, frames, selectors
from conversations.errors import ResyncRequired
from conversations.event_registry import EventRow, event_registry
from realtime.database import clock
from realtime.wire.frames import EventHidden, Frame

# A receipt that was stamped just before the client's last catch-up may have been committed just after it.
RECEIPTS_OVERLAP = datetime.timedelta(seconds=10)
LONG_AGO = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(slots=True)
class Missed:
    """What a client missed. `remaining` has the cursors to ask again with, for logs of which there is more."""

    server_time: datetime.datetime
    epoch: str
    heads: dict[str, int] = field(default_factory=dict)
    resync: list[str] = field(default_factory=list)
    events: dict[str, list[Frame]] = field(default_factory=dict)
    receipts: list[Frame] = field(default_factory=list)
    remaining: dict[UUID, int] = field(default_factory=dict)


def events_page(user_id: UUID, conversation_id: UUID, query: frames.EventsQuery) -> frames.EventPage:
    """Return the events above `after`, oldest first, with the viewer's current rights.

    :raises NotFound: the user is not in the conversation.
    :raises ResyncRequired: `after` lies beyond the head, before the viewer's history start or in another epoch.
    """
    participant = selectors.participant_of(user_id, conversation_id)
    head = participant.conversation.last_sequence
    log = selectors.VisibleLog(participant.history_from, head)
    if not log.can_continue(query.after):
        raise ResyncRequired
    last = min(head, query.after + query.limit)
    events = selectors.events_between({conversation_id: (query.after, last)})
    shown = _seen_by(user_id, {conversation_id: log}, events)
    # Compared after reading: an epoch that has ended does not come back, so everything was read in this one.
    if query.epoch is not None and str(query.epoch) != epoch.current():
        raise ResyncRequired
    return frames.EventPage(events=shown, last_sequence=head, has_more=last < head)


def missed(
    user_id: UUID,
    cursors: Mapping[UUID, int],
    since: datetime.datetime | None,
    in_epoch: UUID | None = None,
    *,
    most: int | None = None,
) -> Missed:
    """Return the events above the cursors of the user's conversations, and the receipts since `since`.

    At most `most` events, by default LIMITS.catch_up_events_total. A conversation without a cursor gives no events:
    the client does not have it yet and loads it. Cursors of another epoch are meaningless: all their conversations
    are listed in `resync`.
    """
    server_time = clock.now()
    now, logs = selectors.heads_of(user_id)
    found = Missed(server_time, now, heads={str(id): log.last_sequence for id, log in logs.items()})
    if in_epoch is not None and str(in_epoch) != now:
        found.resync = [str(id) for id in cursors if id in logs]
        return found
    behind: dict[UUID, tuple[int, int]] = {}
    room = settings.LIMITS.catch_up_events_total if most is None else most
    for conversation_id, cursor in cursors.items():
        log = logs.get(conversation_id)
        if log is None or cursor == log.last_sequence:
            continue
        distance = log.last_sequence - cursor
        if not log.can_continue(cursor) or distance > settings.LIMITS.catch_up_events:
            found.resync.append(str(conversation_id))
            continue
        reached = cursor + min(distance, room)
        if reached > cursor:
            behind[conversation_id] = (cursor, reached)
            room -= reached - cursor
        if reached < log.last_sequence:
            found.remaining[conversation_id] = reached
    above = selectors.events_between(behind)
    for event, frame in zip(above, _seen_by(user_id, logs, above), strict=True):
        found.events.setdefault(str(event.conversation_id), []).append(frame)
    if since is not None:
        asked_for = [conversation_id for conversation_id in cursors if conversation_id in logs]
        # A client may send any time; arithmetic fails at the ends of the calendar.
        moment = min(max(since, LONG_AGO), found.server_time)
        found.receipts = event_registry.receipts_since(user_id, asked_for, moment - RECEIPTS_OVERLAP)
    return found


def _seen_by(user_id: UUID, log: Mapping[UUID, selectors.VisibleLog], events: list[EventRow]) -> list[Frame]:
    """Render events of any conversations for a user; events about anything before their history start are hidden."""
    visible = [event for event in events if event.subject_sequence >= log[event.conversation_id].history_from]
    shown = dict(zip((event.id for event in visible), event_registry.rendered(visible, user_id), strict=True))
    return [
        shown.get(event.id) or EventHidden(conversation_id=str(event.conversation_id), sequence=event.sequence)
        for event in events
    ]
