"""How somebody who was away gets exactly what they missed. Reads only.

`/events` gives a page of one log; `missed` (behind `sync`, frame and REST) looks at all conversations
of a user at once, with a fixed number of statements.
"""

import datetime
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone

from conversations import event_log, frames, selectors
from conversations.errors import ResyncRequired
from conversations.models import Event, Participant
from realtime.frames import EventHidden, Frame

# A receipt that was committed just before the client's last look may have become visible just after it.
RECEIPTS_OVERLAP = datetime.timedelta(seconds=10)
LONG_AGO = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


@dataclass(slots=True)
class Missed:
    """What a client missed. `remaining` are the cursors that it did not get to: ask again with these."""

    server_time: datetime.datetime
    heads: dict[str, int] = field(default_factory=dict)
    resync: list[str] = field(default_factory=list)
    events: dict[str, list[Frame]] = field(default_factory=dict)
    receipts: list[Frame] = field(default_factory=list)
    remaining: dict[UUID, int] = field(default_factory=dict)


def events_page(user_id: UUID, conversation_id: UUID, query: frames.EventsQuery) -> frames.EventPage:
    """Return the events above `after`, oldest first, as this viewer may see them now.

    :raises NotFound: no such conversation for this user.
    :raises ResyncRequired: `after` lies beyond the head or before the viewer's history start.
    """
    place = selectors.place_of(user_id, conversation_id)
    head = place.conversation.last_sequence
    if not _can_continue(place, query.after):
        raise ResyncRequired
    events = list(
        Event.objects.filter(conversation_id=conversation_id, sequence__gt=query.after, sequence__lte=head).order_by(
            "sequence"
        )[: query.limit]
    )
    last = events[-1].sequence if events else query.after
    shown = _seen_by(user_id, {conversation_id: place}, events)
    return frames.EventPage(events=shown, last_sequence=head, has_more=last < head)


def missed(user_id: UUID, cursors: Mapping[UUID, int], since: datetime.datetime | None) -> Missed:
    """Return what happened in the user's conversations above their cursors, and receipts moved since then.

    A conversation without a cursor gives no events: its client does not hold it and loads it.
    """
    found = Missed(server_time=timezone.now())
    places = {place.conversation_id: place for place in selectors.heads_of(user_id)}
    found.heads = {str(id): place.conversation.last_sequence for id, place in places.items()}
    behind: dict[UUID, int] = {}
    room = settings.LIMITS.catch_up_events_total
    for conversation_id, cursor in cursors.items():
        place = places.get(conversation_id)
        if place is None or cursor == place.conversation.last_sequence:
            continue
        distance = place.conversation.last_sequence - cursor
        if not _can_continue(place, cursor) or distance > settings.LIMITS.catch_up_events:
            found.resync.append(str(conversation_id))
        elif distance <= room:
            behind[conversation_id] = cursor
            room -= distance
        else:
            found.remaining[conversation_id] = cursor
    above = [
        event
        for event in _events_above(behind)
        if event.sequence <= places[event.conversation_id].conversation.last_sequence
    ]
    for event, frame in zip(above, _seen_by(user_id, places, above), strict=True):
        found.events.setdefault(str(event.conversation_id), []).append(frame)
    if since is not None:
        held = [conversation_id for conversation_id in cursors if conversation_id in places]
        # A client's clock may say anything; moments at the ends of the calendar cannot be computed with.
        moment = min(max(since, LONG_AGO), found.server_time)
        found.receipts = event_log.receipts_since(user_id, held, moment - RECEIPTS_OVERLAP)
    return found


def _can_continue(place: Participant, cursor: int) -> bool:
    return place.history_from - 1 <= cursor <= place.conversation.last_sequence


def _seen_by(user_id: UUID, places: Mapping[UUID, Participant], events: list[Event]) -> list[Frame]:
    """Render events of any conversations for a user; what lies before their history start is hidden."""
    visible = [event for event in events if event.subject_sequence >= places[event.conversation_id].history_from]
    shown = dict(zip((event.pk for event in visible), event_log.rendered(visible, user_id), strict=True))
    return [
        shown.get(event.pk) or EventHidden(conversation_id=str(event.conversation_id), sequence=event.sequence)
        for event in events
    ]


def _events_above(cursors: Mapping[UUID, int]) -> list[Event]:
    """Return the events of many logs above their cursors, in one statement, log by log and in order.

    The cursors travel as one JSON object, which both databases can join with.
    """
    if not cursors:
        return []
    table = Event._meta.db_table
    if connection.vendor == "postgresql":
        source, key, value = "jsonb_each_text(%s::jsonb)", "c.key::uuid", "c.value::bigint"
        given = {str(id): cursor for id, cursor in cursors.items()}
    else:
        source, key, value = "json_each(%s)", "c.key", "c.value"
        given = {id.hex: cursor for id, cursor in cursors.items()}
    sql = (
        # Nothing in the text comes from outside: tables and casts only.
        f"SELECT e.* FROM {source} AS c JOIN {table} AS e ON e.conversation_id = {key} AND e.sequence > {value} "  # noqa: S608
        "ORDER BY e.conversation_id, e.sequence"
    )
    return list(Event.objects.raw(sql, [json.dumps(given)]))
