"""Reading the event log: always the events above one sequence and up to another."""

from collections.abc import Mapping
from uuid import UUID

from msgspec.structs import fields

from conversations.event_registry import EventRow
from conversations.models import Event
from realtime.database.rows import Columns, matching

_EVENTS = Columns(Event, *(field.name for field in fields(EventRow)))
# A span of a log: the sequence below it and its last one, in two columns that have the right types.
_SPANS = Columns(Event, "conversation", "sequence", "subject_sequence")


def events_between(spans: Mapping[UUID, tuple[int, int]]) -> list[EventRow]:
    """Return events of many logs in one statement, log by log, in order.

    `spans` maps a conversation to two sequences: events above the first and up to the second are returned.
    """
    if not spans:
        return []
    within = "e.conversation_id = r.conversation_id AND e.sequence > r.sequence AND e.sequence <= r.subject_sequence"
    # Nothing in the text comes from outside: names of tables and columns only.
    found = _EVENTS.fetch(
        f"SELECT {_EVENTS.of('e')} FROM {_SPANS.source} {matching(Event, 'e', within, many=True)} "  # noqa: S608
        "WHERE e.id IS NOT NULL ORDER BY e.conversation_id, e.sequence",
        _SPANS.parameters((id, *span) for id, span in spans.items()),
    )
    return [EventRow(*values) for values in found]
