"""Reads the event log for the hub: the conversations of a user, the events after a sequence, and recent heads."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from uuid import UUID

from django.db.models import Max

from conversations import epoch, selectors
from conversations.event_kinds import CONVERSATION_CREATED, PARTICIPANT_ADDED, PARTICIPANT_REMOVED
from conversations.event_registry import EventRow, event_registry
from conversations.models import Event, Participant
from realtime.database.look_back import LookBack
from realtime.registry import Attachment, Attachments, Recent, registry
from realtime.wire.announcements import EventAnnouncement
from realtime.wire.bodies import encode
from realtime.wire.frames import EventHidden

PAGE = 200
# Kinds by which people become members.
_JOINS = (CONVERSATION_CREATED.name, PARTICIPANT_ADDED.name)


class ConversationLog:
    """The event log as the hub reads it; one instance is registered."""

    def __init__(self) -> None:
        # The first look goes back a page, because events may be committed while the process starts.
        self._look_back = LookBack(first=PAGE)

    def attachments(self, user_ids: Sequence[str]) -> list[Attachments]:
        """Return the epoch of the log and all conversations of each user, in one snapshot."""
        now, heads = selectors.heads_of_each([UUID(user_id) for user_id in user_ids])
        return [
            (now, [Attachment(str(id), log.last_sequence, log.history_from) for id, log in mine.items()])
            for mine in heads
        ]

    def read(self, conversation_id: str, *, after: int, viewers: Collection[str]) -> list[EventAnnouncement]:
        """Return the events after the sequence `after`, in order, at most `PAGE`, rendered for `viewers`."""
        events = selectors.events_between({UUID(conversation_id): (after, after + PAGE)})
        shared = [event for event in events if not _differs(event)]
        texts = {
            event.id: encode(frame).decode()
            for event, frame in zip(shared, event_registry.rendered(shared, None), strict=True)
        }
        return [self._log_event(event, texts.get(event.id), viewers) for event in events]

    def recent(self) -> Recent:
        """Return the heads and joins of recently committed events."""
        in_epoch = epoch.current()
        floor = self._look_back.floor(Event.objects.aggregate(newest=Max("id"))["newest"] or 0)
        lately = Event.objects.filter(id__gt=floor)
        heads = dict(lately.values_list("conversation_id").annotate(head=Max("sequence")).order_by())
        return Recent(in_epoch, heads={str(id): head for id, head in heads.items()}, joins=self._joins(floor))

    def current_epoch(self) -> str:
        """Return the epoch of the log."""
        return epoch.current()

    def _joins(self, floor: int) -> dict[str, dict[str, int]]:
        """Return recent joins: for each conversation the new members and the sequences at which they joined."""
        came = set(Event.objects.filter(id__gt=floor, kind__in=_JOINS).values_list("conversation_id", "sequence"))
        participants = Participant.objects.filter(
            conversation_id__in={conversation_id for conversation_id, _ in came}, left_at=None
        ).values_list("conversation_id", "user_id", "history_from")
        joins: dict[str, dict[str, int]] = defaultdict(dict)
        for conversation_id, user_id, history_from in participants:
            if (conversation_id, history_from) in came:
                joins[str(conversation_id)][str(user_id)] = history_from
        return joins

    def _log_event(self, event: EventRow, text: str | None, viewers: Collection[str]) -> EventAnnouncement:
        """Render one event. `joins` leaves out people who have left since."""
        rendered = EventAnnouncement(str(event.conversation_id), event.sequence, text, event.subject_sequence)
        kind = event_registry.kinds.get(event.kind)
        if kind is not None and kind.private:
            # Render the person's own frame even if they are not among the viewers: they may be connecting.
            hidden = EventHidden(conversation_id=rendered.conversation_id, sequence=event.sequence)
            rendered.text = encode(hidden).decode()
            (own,) = event_registry.rendered([event], event.user_id)
            rendered.texts = {str(event.user_id): encode(own).decode()}
        elif kind is not None and kind.per_viewer:
            shown = event_registry.rendered_for_members(event, viewers)
            rendered.texts = {user_id: encode(frame).decode() for user_id, frame in shown.items()}
        if event.kind in _JOINS:
            participants = Participant.objects.filter(
                conversation_id=event.conversation_id, history_from=event.sequence, left_at=None
            )
            rendered.joins = {str(id): event.sequence for id in participants.values_list("user_id", flat=True)}
        elif event.kind == PARTICIPANT_REMOVED.name:
            rendered.leaves = [str(event.user_id)]
        return rendered


def _differs(event: EventRow) -> bool:
    """Return whether the frame of an event is not the same for every viewer."""
    kind = event_registry.kinds.get(event.kind)
    return kind is not None and (kind.per_viewer or kind.private)


registry.register_log(ConversationLog())
