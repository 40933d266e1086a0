"""What is read of conversations, and the rules of who may see and do what in them."""

import base64
import binascii
import datetime
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import cast
from uuid import UUID

from django.db.models import F, Q, QuerySet, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from conversations import event_log, frames
from conversations.errors import NotAParticipant
from conversations.models import Conversation, Event, Participant
from realtime.errors import Invalid, NotFound
from realtime.frames import EventHidden, Frame

LISTED_PARTICIPANTS = 50


def place_of(user_id: UUID, conversation_id: UUID) -> Participant:
    """Return a member's place, with its conversation.

    :raises NotFound: no such conversation, or the user is not in it: the answer does not say which.
    """
    place = (
        Participant.objects.select_related("conversation")
        .filter(conversation_id=conversation_id, user_id=user_id, left_at=None)
        .first()
    )
    if place is None:
        raise NotFound("conversation")
    return place


def places_now(conversation_id: UUID) -> QuerySet[Participant]:
    """Return the places of those who are in the conversation, with their people, in the order in which they came."""
    return (
        Participant.objects.select_related("user")
        .filter(conversation_id=conversation_id, left_at=None)
        .order_by("joined_at", "id")
    )


def place_in(conversation_id: UUID, user_id: UUID) -> Participant:
    """Return the place of a named user.

    :raises NotAParticipant: they are not in the conversation.
    """
    place = places_now(conversation_id).filter(user_id=user_id).first()
    if place is None:
        raise NotAParticipant
    return place


def permissions(place: Participant) -> list[str]:
    """Return what the holder of a place may do, given its conversation is loaded."""
    may = ["send_messages"] if place.can_send_messages else []
    if place.conversation.type == Conversation.Type.DIRECT:
        return may
    if place.role in (Participant.Role.OWNER, Participant.Role.ADMIN):
        may += ["add_participants", "remove_participants", "update_conversation"]
    if place.role == Participant.Role.OWNER:
        may.append("change_roles")
    return [*may, "leave"]


# --- Bodies -------------------------------------------------------------------------------


def participant_body(place: Participant) -> frames.ParticipantBody:
    """Return a place as the other members see it."""
    return frames.ParticipantBody(
        user_id=str(place.user_id),
        username=place.user.username,
        display_name=place.user.shown_name,
        avatar_url=place.user.avatar_url,
        role=cast(frames.Role, place.role),
        can_send_messages=place.can_send_messages,
        joined_at=place.joined_at,
        last_read_sequence=place.last_read_sequence,
        last_delivered_sequence=place.last_delivered_sequence,
    )


def conversation_bodies(places: Sequence[Participant], viewer: UUID | None) -> list[frames.ConversationBody]:
    """Return the conversations of places as their holders see them, in their order; few queries, however many.

    `viewer` is the holder of all the places; None when they are several people's: then the last message has
    the status that it has for everybody when it is new.
    """
    if not places:
        return []
    listed = _listed_participants([place.conversation_id for place in places])
    tops = event_log.messages_at(
        [
            (place.conversation_id, place.conversation.last_message_sequence)
            for place in places
            if place.conversation.last_message_sequence >= place.history_from
        ],
        viewer,
    )
    return [
        _conversation_body(place, listed[place.conversation_id], tops.get(place.conversation_id)) for place in places
    ]


def conversation_body(user_id: UUID, conversation_id: UUID) -> frames.ConversationBody:
    """Return one conversation as a member sees it.

    :raises NotFound: as `place_of`.
    """
    return conversation_bodies([place_of(user_id, conversation_id)], user_id)[0]


def _conversation_body(place: Participant, listed: list[Participant], top: object | None) -> frames.ConversationBody:
    conversation = place.conversation
    others = [other for other in listed if other.user_id != place.user_id]
    return frames.ConversationBody(
        id=str(conversation.id),
        type=cast(frames.Type, conversation.type),
        name=conversation.name,
        display_name=conversation.name or ", ".join(other.user.shown_name for other in others[:5]) or "Empty group",
        description=conversation.description,
        avatar_url=conversation.avatar_url
        or (others[0].user.avatar_url if conversation.type == Conversation.Type.DIRECT and others else ""),
        created_by=str(conversation.created_by_id) if conversation.created_by_id else None,
        created_at=conversation.created_at,
        updated_at=conversation.updated_at,
        last_sequence=conversation.last_sequence,
        last_message=top,
        participant_count=conversation.participant_count,
        participants=[participant_body(each) for each in listed],
        unread_count=place.unread_count(conversation.message_count),
        me=frames.MyPlace(
            role=cast(frames.Role, place.role),
            joined_at=place.joined_at,
            last_read_sequence=place.last_read_sequence,
        ),
        my_permissions=permissions(place),
    )


def _listed_participants(conversation_ids: Collection[UUID]) -> dict[UUID, list[Participant]]:
    """Return the first participants of each conversation, as many as a body lists."""
    listed: dict[UUID, list[Participant]] = defaultdict(list)
    rows = (
        Participant.objects.select_related("user")
        .filter(conversation_id__in=conversation_ids, left_at=None)
        .annotate(
            position=Window(
                RowNumber(), partition_by=[F("conversation_id")], order_by=[F("joined_at").asc(), F("id").asc()]
            )
        )
        .filter(position__lte=LISTED_PARTICIPANTS)
        .order_by("conversation_id", "position")
    )
    for row in rows:
        listed[row.conversation_id].append(row)
    return listed


# --- Lists --------------------------------------------------------------------------------


def conversation_page(user_id: UUID, query: frames.ConversationListQuery) -> frames.ConversationPage:
    """Return a page of a user's conversations, the most active first.

    :raises Invalid: the cursor is not one of ours.
    """
    places = Participant.objects.select_related("conversation").filter(user_id=user_id, left_at=None)
    if query.archived:
        places = places.none()
    if query.unread:
        places = places.filter(
            conversation__message_count__gt=F("read_message_count") + F("sent_count") - F("read_sent_count")
        )
    if query.q.strip():
        q = query.q.strip()
        with_person = (
            Participant.objects.filter(left_at=None, conversation__participants__user_id=user_id)
            .exclude(user_id=user_id)
            .filter(Q(user__username__icontains=q) | Q(user__display_name__icontains=q))
        )
        places = places.filter(
            Q(conversation__name__icontains=q) | Q(conversation_id__in=with_person.values("conversation_id"))
        )
    if query.cursor is not None:
        at, conversation_id = _read_cursor(query.cursor)
        places = places.filter(
            Q(conversation__last_activity_at__lt=at)
            | Q(conversation__last_activity_at=at, conversation_id__lt=conversation_id)
        )
    found = list(places.order_by("-conversation__last_activity_at", "-conversation_id")[: query.limit + 1])
    shown = found[: query.limit]
    more = len(found) > query.limit
    return frames.ConversationPage(
        results=conversation_bodies(shown, user_id),
        next=_cursor(shown[-1].conversation.last_activity_at, shown[-1].conversation_id) if more else None,
    )


def participant_page(user_id: UUID, conversation_id: UUID, query: frames.PageQuery) -> frames.ParticipantPage:
    """Return a page of a conversation's participants, in the order in which they came.

    :raises NotFound: as `place_of`.
    :raises Invalid: the cursor is not one of ours.
    """
    place_of(user_id, conversation_id)
    rows = places_now(conversation_id)
    if query.cursor is not None:
        at, after_user = _read_cursor(query.cursor)
        after = Participant.objects.filter(conversation_id=conversation_id, user_id=after_user).first()
        if after is None:
            raise Invalid(cursor="not a cursor of this list")
        rows = rows.filter(Q(joined_at__gt=at) | Q(joined_at=at, id__gt=after.pk))
    found = list(rows[: query.limit + 1])
    shown = found[: query.limit]
    more = len(found) > query.limit
    return frames.ParticipantPage(
        results=[participant_body(row) for row in shown],
        next=_cursor(shown[-1].joined_at, shown[-1].user_id) if more else None,
    )


def _cursor(at: datetime.datetime, id: UUID) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{id}".encode()).decode()


def _read_cursor(cursor: str) -> tuple[datetime.datetime, UUID]:
    try:
        at, _, id = base64.urlsafe_b64decode(cursor.encode()).decode().partition("|")
        moment = datetime.datetime.fromisoformat(at)
        if timezone.is_naive(moment):
            raise ValueError(cursor)
        # In UTC as the databases have it; a moment at an end of the calendar has none.
        return moment.astimezone(datetime.UTC), UUID(id)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise Invalid(cursor="not a cursor of this list") from error


# --- The people around somebody -----------------------------------------------------------


def peers_of(user_ids: Collection[UUID], *, most_participants: int) -> dict[UUID, set[UUID]]:
    """Return for each user those who share a conversation of at most that size with them."""
    mine = Participant.objects.filter(
        user_id__in=user_ids, left_at=None, conversation__participant_count__lte=most_participants
    ).values_list("user_id", "conversation_id")
    conversations_of: dict[UUID, set[UUID]] = defaultdict(set)
    for user_id, conversation_id in mine:
        conversations_of[conversation_id].add(user_id)
    peers: dict[UUID, set[UUID]] = {user_id: set() for user_id in user_ids}
    others = Participant.objects.filter(conversation_id__in=conversations_of.keys(), left_at=None)
    for conversation_id, other_id in others.values_list("conversation_id", "user_id"):
        for user_id in conversations_of[conversation_id]:
            if other_id != user_id:
                peers[user_id].add(other_id)
    return peers


def shares_conversation(user_id: UUID, other_id: UUID) -> bool:
    """Return whether two people are in one conversation now."""
    mine = Participant.objects.filter(user_id=user_id, left_at=None)
    return Participant.objects.filter(
        user_id=other_id, left_at=None, conversation_id__in=mine.values("conversation_id")
    ).exists()


# --- Rendering of this app's own events ----------------------------------------------------


def render_events(events: Sequence[Event], viewer: UUID | None) -> dict[int, Frame]:
    """Render conversation and participant events as they stand now; registered with the event log."""
    people = _named_in([event for event in events if event.kind in _PARTICIPANT_KINDS])
    own = {event.conversation_id for event in events if event.kind in event_log.PER_VIEWER_KINDS}
    bodies: dict[UUID, frames.ConversationBody] = {}
    if own:
        if viewer is None:
            raise RuntimeError("a conversation looks different to each viewer")
        places = Participant.objects.select_related("conversation").filter(
            conversation_id__in=own, user_id=viewer, left_at=None
        )
        shown = conversation_bodies(list(places), viewer)
        bodies = {UUID(body.id): body for body in shown}
    return {event.pk: _rendered(event, bodies, people) for event in events}


def render_for_members(event: Event, user_ids: Collection[str]) -> dict[str, Frame]:
    """Render a conversation event for those of the users who are in the conversation; three queries for all."""
    places = list(
        Participant.objects.select_related("conversation").filter(
            conversation_id=event.conversation_id, user_id__in=user_ids, left_at=None
        )
    )
    bodies = conversation_bodies(places, None)
    return {
        str(place.user_id): _rendered(event, {event.conversation_id: body}, {})
        for place, body in zip(places, bodies, strict=True)
    }


_PARTICIPANT_KINDS = (Event.Kind.PARTICIPANT_ADDED, Event.Kind.PARTICIPANT_UPDATED)


def _named_in(events: Sequence[Event]) -> dict[tuple[UUID, UUID], frames.ParticipantBody]:
    """Return the participants that events are about, as they are now."""
    users: dict[UUID, set[UUID]] = defaultdict(set)
    for event in events:
        if event.user_id is not None:
            users[event.conversation_id].add(event.user_id)
    wanted = Q(pk__in=[])
    for conversation_id, user_ids in users.items():
        wanted |= Q(conversation_id=conversation_id, user_id__in=user_ids)
    places = Participant.objects.select_related("user").filter(wanted) if users else []
    return {(place.conversation_id, place.user_id): participant_body(place) for place in places}


def _rendered(
    event: Event,
    bodies: Mapping[UUID, frames.ConversationBody],
    people: Mapping[tuple[UUID, UUID], frames.ParticipantBody],
) -> Frame:
    conversation_id, sequence = str(event.conversation_id), event.sequence
    match event.kind:
        case Event.Kind.CONVERSATION_CREATED | Event.Kind.CONVERSATION_UPDATED:
            body = bodies.get(event.conversation_id)
            if body is None:  # they left a moment ago
                return EventHidden(conversation_id=conversation_id, sequence=sequence)
            created = event.kind == Event.Kind.CONVERSATION_CREATED
            of_conversation = frames.ConversationCreated if created else frames.ConversationUpdated
            return of_conversation(conversation_id=conversation_id, sequence=sequence, conversation=body)
        case Event.Kind.PARTICIPANT_REMOVED:
            user_id = str(event.user_id)
            return frames.ParticipantRemoved(conversation_id=conversation_id, sequence=sequence, user_id=user_id)
        case _:
            assert event.user_id is not None
            added = event.kind == Event.Kind.PARTICIPANT_ADDED
            of_participant = frames.ParticipantAdded if added else frames.ParticipantUpdated
            participant = people[event.conversation_id, event.user_id]
            return of_participant(conversation_id=conversation_id, sequence=sequence, participant=participant)


def heads_of(user_id: UUID) -> list[Participant]:
    """Return all places of a user now, with their conversations."""
    return list(Participant.objects.select_related("conversation").filter(user_id=user_id, left_at=None))
