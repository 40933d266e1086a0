"""Unread messages and mentions have one formula, for Python, the ORM and SQL."""

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations.models import Conversation, Participant
from conversations.selectors import mention_count, mentions_in_orm, unread_count, unread_in_orm, unread_in_sql
from tests.conversations.team import Team

pytestmark = pytest.mark.django_db

COUNTS = st.integers(0, 2**40)
COUNTERS = st.fixed_dictionaries(
    {
        "sent_count": COUNTS,
        "read_message_count": COUNTS,
        "read_sent_count": COUNTS,
        "mentioned_count": COUNTS,
        "read_mentioned_count": COUNTS,
    }
)


def test_python_orm_and_sql_agree_on_any_counters() -> None:
    participants = Participant.objects.filter(conversation=Team().group, left_at=None)
    participant = participants.select_related("conversation").order_by("id")[0]
    conversation = participant.conversation
    one = Participant.objects.filter(pk=participant.pk)

    @settings(max_examples=50, deadline=None)
    @given(counters=COUNTERS, message_count=COUNTS)
    def agree(counters: dict[str, int], message_count: int) -> None:
        Conversation.objects.filter(pk=conversation.pk).update(message_count=message_count, last_sequence=2**50)
        one.update(**counters)
        row = one.get()
        by_orm = one.annotate(messages=unread_in_orm(), mentions=mentions_in_orm()).values_list("messages", "mentions")
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {unread_in_sql('a', 'b')} FROM {Participant._meta.db_table} AS a "  # noqa: S608
                f"JOIN {Conversation._meta.db_table} AS b ON b.id = a.conversation_id WHERE a.id = %s",
                [participant.pk],
            )
            by_sql = cursor.fetchall()
        assert list(by_orm) == [(unread_count(row, message_count), mention_count(row))]
        assert by_sql == [(unread_count(row, message_count),)]

    agree()
