"""Frames of this app's own events, live and in catch-up."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from django.db.models import Q

from conversations import frames
from conversations.event_kinds import (
    CONVERSATION_CREATED,
    CONVERSATION_UPDATED,
    MY_PLACE_UPDATED,
    PARTICIPANT_ADDED,
    PARTICIPANT_REMOVED,
    PARTICIPANT_UPDATED,
)
from conversations.event_registry import EventRow, event_registry
from conversations.models import Participant
from conversations.selectors.bodies import conversation_bodies, own_participant_body, participant_body
from realtime.wire.frames import EventHidden, Frame

_OF_CONVERSATIONS = (CONVERSATION_CREATED, CONVERSATION_UPDATED)
_OF_PARTICIPANTS = (PARTICIPANT_ADDED, PARTICIPANT_UPDATED, PARTICIPANT_REMOVED)


@event_registry.renders(*_OF_CONVERSATIONS, *_OF_PARTICIPANTS)
def render_events(events: Sequence[EventRow], viewer: UUID | None) -> dict[int, Frame]:
    """Render conversation and participant events as things are now."""
    named = (PARTICIPANT_ADDED.name, PARTICIPANT_UPDATED.name)
    people = _named_in([event for event in events if event.kind in named])
    of_conversations = {kind.name for kind in _OF_CONVERSATIONS}
    own = {event.conversation_id for event in events if event.kind in of_conversations}
    bodies: dict[UUID, frames.ConversationBody] = {}
    if own:
        if viewer is None:
            raise RuntimeError("a conversation looks different to each viewer")
        participants = Participant.objects.select_related("conversation").filter(
            conversation_id__in=own, user_id=viewer, left_at=None
        )
        shown = conversation_bodies(list(participants), viewer)
        bodies = {body.id: body for body in shown}
    return {event.id: _rendered(event, bodies, people) for event in events}


@event_registry.renders_for_members(*_OF_CONVERSATIONS)
def render_for_members(event: EventRow, user_ids: Collection[str]) -> dict[str, Frame]:
    """Render a conversation event for those of the users who are members; three queries for all of them."""
    participants = list(
        Participant.objects.select_related("conversation").filter(
            conversation_id=event.conversation_id, user_id__in=user_ids, left_at=None
        )
    )
    bodies = conversation_bodies(participants, None)
    return {
        str(participant.user_id): _rendered(event, {event.conversation_id: body}, {})
        for participant, body in zip(participants, bodies, strict=True)
    }


@event_registry.renders(MY_PLACE_UPDATED)
def render_own_settings(events: Sequence[EventRow], viewer: UUID | None) -> dict[int, Frame]:
    """Render changes of a person's own settings, which only they see."""
    mine = {event.conversation_id for event in events if event.user_id == viewer}
    rows = Participant.objects.filter(conversation_id__in=mine, user_id=viewer, left_at=None) if mine and viewer else []
    participants = {participant.conversation_id: participant for participant in rows}
    return {event.id: _own_settings(event, participants.get(event.conversation_id), viewer) for event in events}


def _own_settings(event: EventRow, participant: Participant | None, viewer: UUID | None) -> Frame:
    if participant is None or event.user_id != viewer:
        return EventHidden(conversation_id=str(event.conversation_id), sequence=event.sequence)
    return frames.MyPlaceUpdated(
        conversation_id=event.conversation_id, sequence=event.sequence, me=own_participant_body(participant)
    )


def _named_in(events: Sequence[EventRow]) -> dict[tuple[UUID, UUID], frames.ParticipantBody]:
    """Return the participants that events are about, in their current state."""
    users: dict[UUID, set[UUID]] = defaultdict(set)
    for event in events:
        assert event.user_id is not None
        users[event.conversation_id].add(event.user_id)
    wanted = Q(pk__in=[])
    for conversation_id, user_ids in users.items():
        wanted |= Q(conversation_id=conversation_id, user_id__in=user_ids)
    participants = Participant.objects.select_related("user").filter(wanted) if users else []
    return {
        (participant.conversation_id, participant.user_id): participant_body(participant)
        for participant in participants
    }


def _rendered(
    event: EventRow,
    bodies: Mapping[UUID, frames.ConversationBody],
    people: Mapping[tuple[UUID, UUID], frames.ParticipantBody],
) -> Frame:
    conversation_id, sequence = event.conversation_id, event.sequence
    match event.kind:
        case CONVERSATION_CREATED.name | CONVERSATION_UPDATED.name:
            body = bodies.get(event.conversation_id)
            if body is None:  # the viewer has just left
                return EventHidden(conversation_id=str(conversation_id), sequence=sequence)
            created = event.kind == CONVERSATION_CREATED.name
            of_conversation = frames.ConversationCreated if created else frames.ConversationUpdated
            return of_conversation(conversation_id=conversation_id, sequence=sequence, conversation=body)
        case PARTICIPANT_REMOVED.name:
            assert event.user_id is not None
            user_id = event.user_id
            return frames.ParticipantRemoved(conversation_id=conversation_id, sequence=sequence, user_id=user_id)
        case _:
            assert event.user_id is not None
            added = event.kind == PARTICIPANT_ADDED.name
            of_participant = frames.ParticipantAdded if added else frames.ParticipantUpdated
            participant = people[event.conversation_id, event.user_id]
            return of_participant(conversation_id=conversation_id, sequence=sequence, participant=participant)
