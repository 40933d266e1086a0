"""Demo data: created once, and never changing what users have done with it since."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from accounts import services as accounts
from accounts.models import User
from chatsite.management.commands.seed_demo import GROUP_NAME, PASSWORD, PEOPLE
from conversations import services
from conversations.models import Conversation, Event, Participant
from messaging.integrity import faults
from messaging.models import Message, ReceiptChange
from messaging.services.change import delete_message_for_everyone, edit_message
from tests.making import participant, say, unread

pytestmark = pytest.mark.django_db
TABLES = (User, Conversation, Participant, Event, Message, ReceiptChange)


def seed() -> str:
    out = StringIO()
    call_command("seed_demo", stdout=out, stderr=out)
    return out.getvalue()


def everything() -> list[list[Any]]:
    return [list(model.objects.order_by("pk").values()) for model in TABLES]  # type: ignore[attr-defined]


def test_the_printed_demo_users_can_sign_in() -> None:
    printed = seed()
    for name in PEOPLE:
        assert name in printed
        assert accounts.sign_in(username=name, password=PASSWORD, address="192.0.2.1")
    assert PASSWORD in printed
    assert list(faults()) == []


def test_a_second_run_changes_nothing() -> None:
    seed()
    before = everything()
    seed()
    assert everything() == before


def test_a_second_run_keeps_new_messages_unread() -> None:
    seed()
    ana, ben = User.objects.get(username="ana"), User.objects.get(username="ben")
    talk, _ = services.start_direct(user=ana, other_id=ben.id)
    say(talk, ben, "are you there?")
    seed()
    assert unread(talk, ana) == 1
    assert participant(talk, ana).last_read_sequence < Conversation.objects.get(id=talk.id).last_sequence


def test_a_second_run_keeps_edited_and_deleted_messages() -> None:
    seed()
    one, two = Message.objects.filter(message_type="text", sender__username="ana")[:2]
    edit_message(user_id=one.sender_id, message_id=one.id, content="other words")  # type: ignore[arg-type]
    delete_message_for_everyone(user_id=two.sender_id, message_id=two.id)  # type: ignore[arg-type]
    before = everything()
    seed()
    assert everything() == before


@pytest.mark.parametrize("name", PEOPLE)
@pytest.mark.parametrize("what", ["deactivated", "left", "muted", "renamed"])
def test_a_second_run_succeeds_after_changes_to_a_user(what: str, name: str) -> None:
    seed()
    user, group = User.objects.get(username=name), Conversation.objects.get(name=GROUP_NAME)
    match what:
        case "deactivated":
            accounts.deactivate_user(user_id=user.id)
        case "left":
            services.leave(user_id=user.id, conversation_id=group.id)
        case "muted":
            Participant.objects.filter(user=user).update(can_send_messages=False)
        case "renamed":
            User.objects.filter(id=user.id).update(username=name.upper())
    before = everything()
    assert PASSWORD in seed()
    assert everything() == before
    assert list(faults()) == []
