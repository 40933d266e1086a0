"""Pages of conversations and of participants."""

import base64
import binascii
import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from conversations import frames
from conversations.models import Conversation, Participant
from conversations.selectors.bodies import conversation_bodies, participant_body
from conversations.selectors.participants import ConversationRow, ParticipantRow, current_participants, participant_of
from conversations.selectors.unread import unread_in_sql
from realtime.database.rows import Columns, ids, ids_in, one_id, one_moment
from realtime.wire.errors import Invalid

_PARTICIPANTS = Columns(Participant, *ParticipantRow.__struct_fields__[1:])
_CONVERSATIONS = Columns(Conversation, *ConversationRow.__struct_fields__)


def conversation_page(user_id: UUID, query: frames.ConversationListQuery) -> frames.ConversationPage:
    """Return a page of a user's conversations, the most active first.

    :raises Invalid: the cursor is not valid for this list.
    """
    after = _read_cursor(query.cursor) if query.cursor is not None else None
    conditions = ["p.user_id = %s", "p.left_at IS NULL"]
    parameters: list[Any] = [one_id(user_id)]
    if query.archived is not None:
        conditions.append("p.archived" if query.archived else "NOT p.archived")
    if query.unread:
        conditions.append(f"{unread_in_sql('p', 'c')} > 0")
    if q := query.q.strip():
        conditions.append(ids_in("c.id"))
        parameters.append(ids(_named(user_id, q)))
    if after is not None:
        conditions.append("(c.last_activity_at, c.id) < (%s, %s)")
        parameters += [one_moment(after[0]), one_id(after[1])]
    # Nothing in the text comes from outside: names of tables and columns only.
    text = (
        f"SELECT {_PARTICIPANTS.of('p')}, {_CONVERSATIONS.of('c')} FROM {Participant._meta.db_table} AS p "  # noqa: S608
        f"JOIN {Conversation._meta.db_table} AS c ON c.id = p.conversation_id "
        f"WHERE {' AND '.join(conditions)} ORDER BY c.last_activity_at DESC, c.id DESC LIMIT %s"
    )
    found = [
        ParticipantRow(ConversationRow(*conversation), *participant)
        for participant, conversation in _PARTICIPANTS.fetch_with(_CONVERSATIONS, text, [*parameters, query.limit + 1])
    ]
    shown = found[: query.limit]
    more = len(found) > query.limit
    return frames.ConversationPage(
        results=conversation_bodies(shown, user_id),
        next=_cursor(shown[-1].conversation.last_activity_at, shown[-1].conversation_id) if more else None,
    )


def _named(user_id: UUID, q: str) -> QuerySet[Conversation, UUID]:
    """Return the ids of a user's conversations whose name, or another participant's name, contains the text."""
    mine = Conversation.objects.filter(participants__in=Participant.objects.filter(user_id=user_id, left_at=None))
    with_person = (
        Participant.objects.filter(left_at=None, conversation__participants__user_id=user_id)
        .exclude(user_id=user_id)
        .filter(Q(user__username__icontains=q) | Q(user__display_name__icontains=q))
    )
    found = mine.filter(Q(name__icontains=q) | Q(id__in=with_person.values("conversation_id")))
    return found.order_by().values_list("id", flat=True)


def participant_page(user_id: UUID, conversation_id: UUID, query: frames.PageQuery) -> frames.ParticipantPage:
    """Return a page of a conversation's participants, in the order in which they joined.

    :raises NotFound: as `participant_of`.
    :raises Invalid: the cursor is not valid for this list.
    """
    participant_of(user_id, conversation_id)
    rows = current_participants(conversation_id)
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
        # In UTC, as databases store it. Moments at the ends of the calendar cannot be converted.
        return moment.astimezone(datetime.UTC), UUID(id)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise Invalid(cursor="not a cursor of this list") from error
