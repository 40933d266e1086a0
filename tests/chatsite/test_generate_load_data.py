"""Load data: the amount asked for, valid by all rules of the product, reproducible from its seed, written only once."""

import uuid
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F, Max, Min

from accounts.models import User
from benchmarks.load_data import Plan, write
from conversations.frames import ConversationListQuery
from conversations.models import Conversation, Event, Participant
from conversations.selectors import conversation_page
from messaging.frames import HistoryQuery
from messaging.integrity import faults
from messaging.models import Message, ReceiptChange
from messaging.selectors import history
from messaging.services.drafts import Send
from messaging.services.send import send_message
from tests.harness.product import manage
from tests.making import person

# VACUUM cannot run in a transaction.
pytestmark = pytest.mark.django_db(transaction=True)
TABLES = (User, Conversation, Participant, Event, Message, ReceiptChange)


def generate(**options: Any) -> str:
    out = StringIO()
    wanted = {"messages": 3_000, "users": 40, "conversations": 100}
    call_command("generate_load_data", **(wanted | options), interactive=False, stdout=out)
    return out.getvalue()


def rows() -> list[list[dict[str, Any]]]:
    """Return all rows, without the ids that the database numbers itself."""
    numbered = {Participant, Event, ReceiptChange}
    found = []
    for model in TABLES:
        names = [field.attname for field in model._meta.fields if not (model in numbered and field.name == "id")]
        found.append(sorted(model.objects.values(*names), key=str))  # type: ignore[attr-defined]
    return found


def definitions() -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1")
        indices = cursor.fetchall()
        cursor.execute("SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint ORDER BY 1, 2")
        return indices + cursor.fetchall()


def test_the_amount_asked_for_is_written_without_faults() -> None:
    before = definitions()
    assert "3,000 messages of 40 people in 100 conversations" in generate()
    assert definitions() == before
    assert list(faults()) == []
    assert (User.objects.count(), Conversation.objects.count()) == (40, 100)
    assert Message.objects.exclude(message_type="system").count() == 3_000
    assert Conversation.objects.filter(type="group").count() == Message.objects.filter(message_type="system").count()


def test_every_position_is_where_its_receipt_changes_end() -> None:
    generate()
    kinds = {"delivered": "last_delivered_sequence", "read": "last_read_sequence"}
    for kind, position in kinds.items():
        positions = dict(Participant.objects.exclude(**{position: 0}).values_list("pk", position))
        moves: dict[int, list[ReceiptChange]] = {}
        members = {(member.conversation_id, member.user_id): member.pk for member in Participant.objects.all()}
        for move in ReceiptChange.objects.filter(kind=kind).order_by("id"):
            moves.setdefault(members[move.conversation_id, move.user_id], []).append(move)
        assert {member: chain[-1].up_to_sequence for member, chain in moves.items()} == positions
        for chain in moves.values():
            assert [0, *(move.up_to_sequence for move in chain[:-1])] == [move.from_sequence for move in chain]
            assert [move.moved_at for move in chain] == sorted(move.moved_at for move in chain)


def test_times_of_a_log_rise_with_its_sequence() -> None:
    generate()
    last: dict[uuid.UUID, Any] = {}
    for event in Event.objects.order_by("conversation_id", "sequence"):
        assert event.created_at >= last.get(event.conversation_id, event.created_at)
        last[event.conversation_id] = event.created_at
    assert dict(Conversation.objects.values_list("id", "updated_at")) == last


def test_generated_conversations_can_be_read_and_written() -> None:
    generate()
    row = Participant.objects.filter(last_read_sequence__lt=F("last_delivered_sequence"), last_read_sequence__gt=0)[0]
    reader = row.user_id
    page = conversation_page(reader, ConversationListQuery(limit=200))
    shown = next(each for each in page.results if each.id == row.conversation_id)
    assert shown.unread_count > 0
    assert shown.last_message is not None
    messages = history(reader, row.conversation_id, HistoryQuery(limit=200)).results
    head = Conversation.objects.get(id=row.conversation_id).last_sequence
    assert messages[0].sequence == head
    assert send_message(Send(row.conversation_id, reader, uuid.uuid4(), content="still there?")).sequence == head + 1
    assert list(faults()) == []


def test_a_repeated_generated_send_is_recognised() -> None:
    generate()
    message = Message.objects.exclude(sender=None)[0]
    again = Send(
        message.conversation_id,
        message.sender_id,  # type: ignore[arg-type]
        message.client_message_id,  # type: ignore[arg-type]
        content=message.content,
    )
    sent = send_message(again)
    assert sent.duplicate
    assert sent.message_id == message.id


def test_messages_of_a_conversation_are_spread_over_the_table() -> None:
    """Messages are not stored conversation by conversation: those of one are spread, as in a table that grew."""
    generate()
    largest = Conversation.objects.order_by("-message_count")[0]
    span = Event.objects.filter(conversation=largest).exclude(sequence=1).aggregate(least=Min("id"), most=Max("id"))
    assert span["most"] - span["least"] > 2_000


def test_the_same_seed_gives_the_same_data() -> None:
    generate(seed=7)
    first = rows()
    call_command("flush", interactive=False)
    generate(seed=7)
    assert rows() == first
    call_command("flush", interactive=False)
    generate(seed=8)
    assert rows()[4] != first[4]


def test_a_database_with_users_is_refused() -> None:
    person("ana")
    with pytest.raises(CommandError, match="people in this database already"):
        generate()
    assert not Message.objects.exists()


def test_a_failure_leaves_no_rows() -> None:
    before = definitions()

    def fail(what: str, done: int, _of: int) -> None:
        if what == "messages" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(Plan(messages=3_000, people=40, conversations=100), fail)
    assert rows() == [[]] * len(TABLES)
    assert definitions() == before


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"users": 2}, "3 people"),
        ({"messages": -1}, "no fewer than 0"),
        ({"users": 4, "conversations": 100}, "4 people make 4 different pairs: too few for 90"),
    ],
)
def test_impossible_amounts_are_refused(options: dict[str, int], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        generate(**options)


@pytest.mark.parametrize(("users", "conversations"), [(3, 3), (5, 11), (20, 150)])
def test_few_users_in_many_conversations_cause_no_faults(users: int, conversations: int) -> None:
    generate(messages=0, users=users, conversations=conversations)
    assert Conversation.objects.count() == conversations
    assert list(faults()) == []


def test_without_confirmation_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda question: "no" if "3,000 invented messages" in question else "yes")
    with pytest.raises(CommandError, match="Nothing was written"):
        call_command("generate_load_data", messages=3_000, users=40, conversations=100)
    assert not User.objects.exists()


def test_sqlite_is_refused(tmp_path: Any) -> None:
    environment = {
        "CHATSITE_PROFILE": "embedded",
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'chatsite.sqlite3'}",
    }
    with pytest.raises(RuntimeError, match="only PostgreSQL"):
        manage(["generate_load_data", "--messages", "10", "--no-input"], environment)
