"""Pages of conversations and of participants."""

import base64
import binascii
import datetime
from uuid import UUID

from django.db.models import F, Q
from django.utils import timezone

from conversations import frames
from conversations.models import Participant
from conversations.selectors.bodies import conversation_bodies, participant_body
from conversations.selectors.places import place_of, places_now
from realtime.errors import Invalid


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
