"""Every page of the admin opens, also with hostile data, and takes a bounded number of queries."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.services import block_user
from conversations import services
from conversations.models import Conversation, Participant
from messaging.models import Message, ReceiptChange
from messaging.services.change import delete_message_for_everyone
from tests.making import direct, group, people, person, read, say

pytestmark = pytest.mark.django_db

HOSTILE = "<script>alert(1)</script>\"'{{7*7}}{% now %}\u202e\U0001f9e8"
SECRET = "what-nobody-else-reads"
OURS = [model for model in admin.site._registry if model._meta.app_label in ("accounts", "conversations", "messaging")]
WRITTEN_BY_SERVICES = [model for model in OURS if model is not User]


def address(model: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


@pytest.fixture
def root() -> User:
    return User.objects.create_superuser("root", "root-password")


@pytest.fixture
def staff(root: User) -> Client:
    client = Client()
    client.force_login(root)
    return client


@pytest.fixture
def hostile() -> None:
    """Rows of every model, with texts as hostile as the services allow, or once allowed."""
    ana, ben = (
        person(name, display_name=HOSTILE[:64], about=HOSTILE, email=f"{name}@example.org") for name in ("ana", "ben")
    )
    talk, team = direct(ana, ben), group(ana, ben, description=HOSTILE)
    Conversation.objects.filter(pk=team.pk).update(name=HOSTILE)
    for conversation in (talk, team):
        say(conversation, ana, f"{SECRET} {HOSTILE}", metadata={HOSTILE: [HOSTILE]})
        read(conversation, ben)
    gone = say(talk, ben, SECRET)
    delete_message_for_everyone(user_id=ben.id, message_id=gone.message_id)
    for user in (ana, ben):
        user.device_sessions.create(token_hash=user.username.encode() * 8, device_name=HOSTILE, device_id=HOSTILE)
    block_user(user_id=ben.id, other_id=ana.id)


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
@pytest.mark.usefixtures("hostile")
def test_lists_and_rows_with_hostile_data_open_escaped(model: Any, staff: Client) -> None:
    listed = staff.get(address(model, "changelist"))
    assert listed.status_code == 200
    assert HOSTILE not in listed.content.decode()
    for row in model.objects.all()[:5]:
        shown = staff.get(address(model, "change", row.pk))
        assert shown.status_code == 200
        assert "<script>alert" not in shown.content.decode()


def test_the_number_of_queries_does_not_grow_with_the_rows(
    staff: Client, hostile: None, django_assert_max_num_queries: Callable[[int], Any]
) -> None:
    ana = User.objects.get(username="ana")
    for number in range(12):
        other = person(f"other{number}")
        say(direct(ana, other), ana)
        other.device_sessions.create(token_hash=None, device_name="browser")
    for model in OURS:
        with django_assert_max_num_queries(8):
            assert staff.get(address(model, "changelist")).status_code == 200


def test_tables_written_by_services_are_never_counted(
    staff: Client, hostile: None, django_assert_max_num_queries: Any
) -> None:
    for model in WRITTEN_BY_SERVICES:
        with django_assert_max_num_queries(6) as queries:
            staff.get(address(model, "changelist"))
        assert not [query for query in queries.captured_queries if "COUNT(" in query["sql"]]


@pytest.mark.parametrize("model", WRITTEN_BY_SERVICES, ids=lambda model: model.__name__)
def test_tables_written_by_services_are_read_only(model: Any, staff: Client, hostile: None) -> None:
    row = model.objects.first()
    assert staff.get(address(model, "add")).status_code == 403
    assert staff.post(address(model, "change", row.pk), {"content": "forged"}).status_code == 403
    assert staff.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert b"delete_selected" not in staff.get(address(model, "changelist")).content


def test_message_texts_are_shown_only_on_the_page_of_a_message(staff: Client, hostile: None) -> None:
    for page in [*(address(model, "changelist") for model in OURS), reverse("admin:index")]:
        assert SECRET not in staff.get(page).content.decode()
    assert not staff.get(address(Message, "changelist"), {"q": SECRET}).context["cl"].result_list
    message = Message.objects.exclude(content="").first()
    assert message is not None
    assert SECRET in staff.get(address(Message, "change", message.pk)).content.decode()
    assert b"<textarea" not in staff.get(address(Message, "change", message.pk)).content


@pytest.mark.parametrize("q", ["ana", "ANA", "%", "\x00", "''", "0" * 32, HOSTILE, " ", "\ud7ff" * 300])
@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_hostile_search_is_answered(model: Any, q: str, staff: Client, hostile: None) -> None:
    assert staff.get(address(model, "changelist"), {"q": q}).status_code == 200


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_a_hostile_address_is_answered(model: Any, staff: Client) -> None:
    for query in ("?p=0", "?p=99999999", "?p=x", "?o=1.-2.99", "?id__exact=zzz", "?user__id__exact=0", "?e=1"):
        assert staff.get(address(model, "changelist") + query, follow=True).status_code == 200
    for key in ("0", "9" * 30, "x", "a/b", "0" * 32):
        assert staff.get(address(model, "change", key), follow=True).status_code in (200, 404)


def test_rows_are_found_by_id_and_by_username(staff: Client, hostile: None) -> None:
    def found(model: Any, q: str) -> int:
        return len(staff.get(address(model, "changelist"), {"q": q}).context["cl"].result_list)

    message = Message.objects.filter(sender__username="ana").first()
    assert message is not None
    assert found(Message, str(message.pk)) == 1
    assert found(Message, "Ana") == Message.objects.filter(sender__username="ana").count()
    assert found(Message, str(message.conversation_id)) == message.conversation.messages.count()
    assert found(Message, "an") == 0
    assert found(Conversation, "ben") == 2
    assert found(Conversation, "script") == 1
    assert found(ReceiptChange, "ben") == ReceiptChange.objects.filter(user__username="ben").count()


def test_participants_are_filtered_by_membership(staff: Client, hostile: None) -> None:
    team = Conversation.objects.get(type="group")
    services.leave(user_id=User.objects.get(username="ben").id, conversation_id=team.id)

    def listed(**query: str) -> list[str]:
        shown = staff.get(address(Participant, "changelist"), {"conversation__id__exact": str(team.id), **query})
        return sorted(participant.user.username for participant in shown.context["cl"].result_list)

    assert (listed(), listed(there="now"), listed(there="left")) == (["ana", "ben"], ["ana"], ["ben"])


def test_a_conversation_links_to_its_rows_in_other_tables(staff: Client, hostile: None) -> None:
    conversation = Conversation.objects.get(type="direct")
    shown = staff.get(address(Conversation, "change", conversation.pk)).content.decode()
    for model in ("conversations_participant", "conversations_event", "messaging_message", "messaging_receiptchange"):
        link = f"{reverse(f'admin:{model}_changelist')}?conversation__id__exact={conversation.pk}"
        assert link in shown
        rows = staff.get(link).context["cl"].result_list
        assert rows
        assert {row.conversation_id for row in rows} == {conversation.pk}


def test_a_user_who_is_not_staff_is_redirected(client: Client) -> None:
    (ana,) = people("ana")
    client.force_login(ana)
    for model in OURS:
        assert client.get(address(model, "changelist")).status_code == 302
