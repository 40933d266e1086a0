"""Direct conversations: one for each pair of users."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from accounts.models import User
from conversations import selectors, services
from conversations.models import Conversation, Participant
from realtime.wire.errors import Forbidden, Invalid
from tests.making import direct, people, person
from tests.waiting import DEADLINE


@pytest.mark.django_db(transaction=True)
def test_concurrent_starts_from_both_sides_create_one_conversation() -> None:
    ana, ben = people("ana", "ben")
    together = threading.Barrier(8)

    def start(user: User, other: User) -> tuple[Conversation, bool]:
        together.wait(DEADLINE)
        try:
            return services.start_direct(user=user, other_id=other.id)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(start, [ana, ben] * 4, [ben, ana] * 4))
    assert len({conversation.id for conversation, _ in results}) == 1
    assert [created for _, created in results].count(True) == 1
    assert Participant.objects.count() == 2
    assert Conversation.objects.get().last_sequence == 1


@pytest.mark.django_db
class TestDirect:
    def test_starting_again_from_either_side_returns_the_existing_one(self) -> None:
        ana, ben = people("ana", "ben")
        first, created = services.start_direct(user=ana, other_id=ben.id)
        assert created
        assert services.start_direct(user=ben, other_id=ana.id) == (first, False)
        assert first.participant_count == 2

    def test_oneself_inactive_and_unknown_users_are_refused(self) -> None:
        ana, gone = person("ana"), person("gone", is_active=False)
        for other_id in (ana.id, gone.id, Conversation().id):
            with pytest.raises(Invalid):
                services.start_direct(user=ana, other_id=other_id)
        assert not Conversation.objects.exists()

    def test_an_existing_conversation_is_returned_after_deactivation(self) -> None:
        ana, ben = people("ana", "ben")
        talk = direct(ana, ben)
        User.objects.filter(id=ben.id).update(is_active=False)
        assert services.start_direct(user=ana, other_id=ben.id) == (talk, False)

    def test_each_sees_the_other_users_name_and_picture(self) -> None:
        ana = person("ana", display_name="Ana", avatar_url="https://example.org/a.png")
        ben = person("ben")
        talk = direct(ana, ben)
        seen = selectors.conversation_body(ben.id, talk.id)
        assert (seen.display_name, seen.avatar_url, seen.name) == ("Ana", "https://example.org/a.png", "")
        assert selectors.conversation_body(ana.id, talk.id).display_name == "ben"

    def test_everything_except_writing_is_forbidden(self) -> None:
        ana, ben, cleo = people("ana", "ben", "cleo")
        talk = direct(ana, ben)
        assert selectors.permissions(selectors.participant_of(ana.id, talk.id)) == ["send_messages"]
        here = {"user_id": ana.id, "conversation_id": talk.id}
        attempts = (
            lambda: services.leave(**here),
            lambda: services.remove_participant(**here, other_id=ben.id),
            lambda: services.remove_participant(**here, other_id=ana.id),
            lambda: services.add_participants(**here, user_ids=[cleo.id]),
            lambda: services.update_conversation(**here, changes={"name": "us"}),
            lambda: services.update_participant(**here, other_id=ben.id, role="owner"),
            lambda: services.update_participant(**here, other_id=ben.id, can_send_messages=False),
            lambda: services.update_participant(**here, other_id=ben.id, role="member"),
        )
        for attempt in attempts:
            with pytest.raises(Forbidden):
                attempt()
        talk.refresh_from_db()
        assert (talk.participant_count, talk.last_sequence) == (2, 1)
