"""The integrity check finds each kind of fault, and none in data written by services."""

import uuid
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F

from conversations.models import Conversation, Event, Participant
from messaging.integrity import faults
from messaging.models import Mention, Message
from tests.making import direct, group, naming, people, person, read, say

UNKNOWN_ID = uuid.UUID(int=7)


@pytest.fixture
def talk(db: None) -> Conversation:
    ana, ben, cleo = people("ana", "ben", "cleo")
    talk = direct(ana, ben)
    for _ in range(3):
        say(talk, ana, mentions=naming(ben))
        say(talk, ben)
    read(talk, ben, 4)
    group(cleo, ana, name="Beside")
    return talk


def drop_event_in_the_middle(talk: Conversation) -> None:
    Event.objects.filter(conversation=talk, sequence=3).delete()


def drop_first_event(talk: Conversation) -> None:
    Event.objects.filter(conversation=talk, sequence=1).delete()


def move_head(talk: Conversation) -> None:
    Conversation.objects.filter(id=talk.id).update(last_sequence=F("last_sequence") + 1)


def drop_message(talk: Conversation) -> None:
    Message.objects.filter(conversation=talk, sequence=3).delete()


def point_event_elsewhere(talk: Conversation) -> None:
    other = Message.objects.filter(conversation=talk, sequence=4).values_list("id", flat=True)[0]
    Event.objects.filter(conversation=talk, sequence=3).update(message_id=other)


def miscount_messages(talk: Conversation) -> None:
    Conversation.objects.filter(id=talk.id).update(message_count=F("message_count") - 1)


def misplace_newest_message(talk: Conversation) -> None:
    Conversation.objects.filter(id=talk.id).update(last_message_sequence=F("last_message_sequence") - 1)


def miscount_participants(talk: Conversation) -> None:
    Conversation.objects.filter(id=talk.id).update(participant_count=3)


def miscount_sent(talk: Conversation) -> None:
    Participant.objects.filter(conversation=talk, user__username="ana").update(
        sent_count=F("sent_count") + 1, read_sent_count=F("read_sent_count") + 1
    )


def miscount_read(talk: Conversation) -> None:
    Participant.objects.filter(conversation=talk, user__username="ben").update(
        read_message_count=F("read_message_count") + 1
    )


def drop_a_mention(talk: Conversation) -> None:
    Mention.objects.filter(conversation=talk, sequence=4).delete()


def miscount_mentions(talk: Conversation) -> None:
    Participant.objects.filter(conversation=talk, user__username="ben").update(
        mentioned_count=F("mentioned_count") + 1, read_mentioned_count=F("read_mentioned_count") + 1
    )


def miscount_read_mentions(talk: Conversation) -> None:
    Participant.objects.filter(conversation=talk, user__username="ben").update(read_mentioned_count=0)


def move_a_mention(talk: Conversation) -> None:
    Mention.objects.filter(conversation=talk, sequence=6).update(sequence=7)


def mark_beyond_the_head(talk: Conversation) -> None:
    Participant.objects.filter(conversation=talk, user__username="ben").update(last_delivered_sequence=99)


def strand_an_event(talk: Conversation) -> None:
    Event.objects.filter(conversation=talk, sequence=1).update(conversation_id=UNKNOWN_ID)


def strand_a_message(talk: Conversation) -> None:
    Message.objects.filter(conversation=talk, sequence=3).update(conversation_id=UNKNOWN_ID)


def let_a_stranger_send(talk: Conversation) -> None:
    Message.objects.filter(conversation=talk, sequence=3).update(sender=person("stranger"))


PLANTED: dict[Callable[[Conversation], None], str] = {
    drop_event_in_the_middle: "but 6 of them",
    drop_first_event: "events 2 to 7",
    move_head: "head 8, last event 7",
    drop_message: "event 3 without its message",
    point_event_elsewhere: "no event at its sequence 3",
    miscount_messages: "counts 5 messages",
    misplace_newest_message: "up to 6, has 6 up to 7",
    miscount_participants: "counts 3 participants, has 2",
    miscount_sent: "counts 4 messages sent, has 3",
    miscount_read: "unread 0, but 1",
    drop_a_mention: "counts 3 mentions, has 2",
    miscount_mentions: "counts 4 mentions, has 3",
    miscount_read_mentions: "3 unread mentions, but 1",
    move_a_mention: "of somebody else at 7",
    mark_beyond_the_head: "delivery position 99 beyond the head",
    strand_an_event: f"no conversation {UNKNOWN_ID}",
    strand_a_message: f"no conversation {UNKNOWN_ID}",
    let_a_stranger_send: "was never in its conversation",
}


def test_data_written_by_services_has_no_faults(talk: Conversation) -> None:
    assert list(faults()) == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_fault_is_found_and_named(plant: Callable[[Conversation], None], talk: Conversation) -> None:
    plant(talk)
    found = list(faults())
    assert any(PLANTED[plant] in fault for fault in found), found
    assert all("Beside" not in fault for fault in found)


@pytest.mark.django_db(transaction=True)
def test_the_command_succeeds_without_faults_and_fails_with_one(talk: Conversation) -> None:
    out = StringIO()
    call_command("check_integrity", stdout=out)
    assert "gapless" in out.getvalue()
    move_head(talk)
    with pytest.raises(CommandError, match="1 faults"):
        call_command("check_integrity", stdout=out)
    assert "head 8, last event 7" in out.getvalue()


def test_the_check_takes_a_bounded_number_of_queries(talk: Conversation, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(15):
        assert list(faults()) == []
