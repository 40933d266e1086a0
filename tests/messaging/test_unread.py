"""Unread counts are exact: whatever happens in whatever order, they agree with a model that counts."""

from dataclasses import dataclass, field

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from conversations import selectors, services
from conversations.frames import ConversationListQuery
from conversations.models import Conversation
from messaging.integrity import faults
from messaging.models import Message
from messaging.services.change import delete_message_for_everyone
from messaging.services.send import send_messages
from realtime.errors import DomainError
from tests.making import draft, group, people, read, say, unread

pytestmark = pytest.mark.django_db
PEOPLE = 4

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("say"), st.integers(0, PEOPLE - 1)),
        st.tuples(st.just("read"), st.integers(0, PEOPLE - 1), st.floats(0, 1)),
        st.tuples(st.just("deliver"), st.integers(0, PEOPLE - 1), st.floats(0, 1)),
        st.tuples(st.just("leave"), st.integers(1, PEOPLE - 1)),
        st.tuples(st.just("add"), st.integers(1, PEOPLE - 1)),
        st.tuples(st.just("delete"), st.floats(0, 1)),
        st.tuples(st.just("rename")),
        st.tuples(st.just("batch"), st.lists(st.integers(0, PEOPLE - 1), min_size=1, max_size=4)),
    ),
    max_size=25,
)


@dataclass
class Model:
    """Who wrote what at which sequence, and up to where everybody read: counted anew each time."""

    written: list[tuple[int, int]] = field(default_factory=list)
    read_up_to: dict[int, int] = field(default_factory=dict)

    def unread(self, who: int) -> int:
        return sum(sequence > self.read_up_to[who] and writer != who for sequence, writer in self.written)


class Play:
    """Does the steps both ways."""

    def __init__(self, users: list[User]) -> None:
        self.users = users
        self.group = group(*users)
        self.model = Model(read_up_to=dict.fromkeys(range(len(users)), 0))
        self.there = set(range(len(users)))

    def head(self) -> int:
        return Conversation.objects.get(id=self.group.id).last_sequence

    def say(self, who: int) -> None:
        if who in self.there:
            self.model.written.append((say(self.group, self.users[who]).sequence, who))

    def batch(self, writers: list[int]) -> None:
        results = send_messages([draft(self.group, self.users[who]) for who in writers])
        for who, result in zip(writers, results, strict=True):
            assert isinstance(result, DomainError) == (who not in self.there)
            if not isinstance(result, DomainError):
                self.model.written.append((result.sequence, who))

    def read(self, who: int, how_far: float) -> None:
        if who in self.there:
            sequence = round(how_far * self.head())
            read(self.group, self.users[who], sequence)
            self.model.read_up_to[who] = max(self.model.read_up_to[who], sequence)

    def deliver(self, who: int, how_far: float) -> None:
        if who in self.there:
            read(self.group, self.users[who], round(how_far * self.head()), "delivered")

    def leave(self, who: int) -> None:
        if who in self.there:
            services.leave(user_id=self.users[who].id, conversation_id=self.group.id)
            self.there.discard(who)

    def add(self, who: int) -> None:
        here = {"user_id": self.users[0].id, "conversation_id": self.group.id}
        for place in services.add_participants(**here, user_ids=[self.users[who].id]):
            self.there.add(who)
            self.model.read_up_to[who] = place.history_from - 1

    def delete(self, which: float) -> None:
        messages = list(Message.objects.filter(conversation=self.group, sender__isnull=False).order_by("sequence"))
        if messages:
            message = messages[min(int(which * len(messages)), len(messages) - 1)]
            delete_message_for_everyone(user_id=self.users[0].id, message_id=message.id)

    def rename(self) -> None:
        services.update_conversation(
            user_id=self.users[0].id, conversation_id=self.group.id, changes={"name": str(self.head())}
        )

    def agrees(self) -> None:
        for who in self.there:
            user, expected = self.users[who], self.model.unread(who)
            assert unread(self.group, user) == expected
            listed = selectors.conversation_page(user.id, ConversationListQuery(unread=True)).results
            assert [body.unread_count for body in listed] == ([expected] if expected else [])


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_unread_counts_agree_with_counting(steps: list[tuple[object, ...]]) -> None:
    with transaction.atomic():
        play = Play(people(*(f"p{number}" for number in range(PEOPLE))))
        for name, *arguments in steps:
            getattr(play, str(name))(*arguments)
            play.agrees()
        assert list(faults()) == []
        transaction.set_rollback(True)
