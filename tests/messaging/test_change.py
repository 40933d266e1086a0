"""Edit and delete for everyone: rights, time limits, and the result."""

import datetime
import uuid
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from conversations import services
from conversations.models import Event
from conversations.selectors import conversation_body
from messaging import selectors
from messaging.errors import EditWindowClosed
from messaging.integrity import faults
from messaging.models import Message
from messaging.services.change import delete_message_for_everyone, edit_message
from messaging.services.send import Sent
from realtime.wire.errors import Forbidden, Invalid, NotFound
from tests.making import at_once, direct, group, people, person, read, say, unread

pytestmark = pytest.mark.django_db


class Room:
    """A group with owner, admin and two members, one of whom has written a message."""

    def __init__(self) -> None:
        self.owner, self.admin, self.member, self.other = people("owner", "admin", "member", "other")
        self.group = group(self.owner, self.admin, self.member, self.other)
        direct(self.member, self.other)
        target = {"user_id": self.owner.id, "conversation_id": self.group.id}
        services.update_participant(**target, other_id=self.admin.id, role="admin")
        self.sent = say(self.group, self.member, "first words", metadata={"a": 1})

    def edit(self, user: User, content: str = "better words") -> Message:
        return edit_message(user_id=user.id, message_id=self.sent.message_id, content=content)

    def delete(self, user: User) -> None:
        delete_message_for_everyone(user_id=user.id, message_id=self.sent.message_id)

    def message(self) -> Message:
        return Message.objects.get(id=self.sent.message_id)

    def last_event(self) -> Event:
        return Event.objects.filter(conversation=self.group).latest("sequence")


@pytest.fixture
def room() -> Any:
    room = Room()
    yield room
    assert list(faults()) == []


def age(sent: Sent, **by: float) -> None:
    Message.objects.filter(id=sent.message_id).update(created_at=timezone.now() - datetime.timedelta(**by))


def test_an_edit_changes_only_the_text(room: Room) -> None:
    before = unread(room.group, room.other)
    assert room.edit(room.member).content == "better words"
    message, event = room.message(), room.last_event()
    assert (message.content, message.metadata, message.sequence) == ("better words", {"a": 1}, room.sent.sequence)
    assert message.edited_at is not None
    assert (event.kind, event.message_id, event.subject_sequence) == ("message_updated", message.id, message.sequence)
    assert event.sequence == room.sent.sequence + 1
    assert unread(room.group, room.other) == before
    room.group.refresh_from_db()
    assert room.group.last_message_sequence == message.sequence, "lists are sorted by messages, not by edits"


def test_only_the_sender_may_edit_a_message(room: Room) -> None:
    for user in (room.owner, room.admin, room.other):
        with pytest.raises(Forbidden):
            room.edit(user)
    assert room.message().edited_at is None


def test_an_edit_after_the_edit_window_is_refused(room: Room, settings: Any) -> None:
    window = settings.LIMITS.edit_window_seconds
    age(room.sent, seconds=window - 30)
    room.edit(room.member)
    age(room.sent, seconds=window + 1)
    with pytest.raises(EditWindowClosed):
        room.edit(room.member, "too late")
    assert room.message().content == "better words"


def test_an_edit_to_the_same_text_writes_nothing(room: Room) -> None:
    before = room.last_event().sequence
    assert room.edit(room.member, "first words").edited_at is None
    assert room.last_event().sequence == before
    assert room.message().edited_at is None


@pytest.mark.parametrize("content", ["", " \n", "x" * 10_001, "\x00"])
def test_an_edit_to_an_invalid_text_is_refused(content: str, room: Room) -> None:
    with pytest.raises(Invalid, match="content"):
        room.edit(room.member, content)


def test_a_muted_or_removed_sender_cannot_edit(room: Room) -> None:
    target = {"user_id": room.owner.id, "conversation_id": room.group.id, "other_id": room.member.id}
    services.update_participant(**target, can_send_messages=False)
    with pytest.raises(Forbidden):
        room.edit(room.member)
    services.remove_participant(**target)
    with pytest.raises(NotFound):
        room.edit(room.member)
    with pytest.raises(NotFound):
        room.delete(room.member)


def test_locations_and_system_messages_cannot_be_edited(room: Room) -> None:
    location = say(room.group, room.member, "", message_type="location", metadata={"latitude": 1, "longitude": 2})
    system_message = Message.objects.filter(message_type="system").first()
    assert system_message is not None
    for message_id in (location.message_id, system_message.id):
        with pytest.raises(Forbidden):
            edit_message(user_id=room.member.id, message_id=message_id, content="x")


@pytest.mark.parametrize("role", ["member", "admin", "owner"])
def test_a_deleted_message_leaves_an_empty_tombstone(role: str, room: Room) -> None:
    room.delete(getattr(room, role))
    message, event = room.message(), room.last_event()
    assert (message.content, message.metadata, message.payload_digest) == ("", {}, None)
    assert message.deleted_at is not None
    assert (message.sender, message.sequence) == (room.member, room.sent.sequence)
    assert (event.kind, event.actor_id) == ("message_deleted", getattr(room, role).id)
    body = selectors.message_body(message)
    assert (body.content, body.metadata, body.mentions, body.attachments, body.reactions) == ("", {}, [], [], [])


def test_messages_deleted_before_they_are_read_are_not_unread(room: Room) -> None:
    """Whatever the others have read, and whether the messages are passed one by one or at once."""
    sent = [room.sent, *(say(room.group, room.member) for _ in range(4))]
    read(room.group, room.owner, sent[1].sequence)
    read(room.group, room.other, sent[4].sequence)
    counts = [unread(room.group, user) for user in (room.admin, room.owner, room.other, room.member)]
    for deleted in (sent[0], sent[2], sent[4]):
        delete_message_for_everyone(user_id=room.member.id, message_id=deleted.message_id)
        delete_message_for_everyone(user_id=room.owner.id, message_id=deleted.message_id)
    left = [unread(room.group, user) for user in (room.admin, room.owner, room.other, room.member)]
    assert left == [counts[0] - 3, counts[1] - 2, 0, 0]
    passed = []
    for message in sent:
        read(room.group, room.admin, message.sequence)
        passed.append(unread(room.group, room.admin))
    assert passed == [2, 1, 1, 0, 0]


def test_a_sender_who_deletes_what_they_never_read_has_nothing_unread(room: Room) -> None:
    for _ in range(2):
        sent = say(room.group, room.member)
        delete_message_for_everyone(user_id=room.member.id, message_id=sent.message_id)
    assert unread(room.group, room.member) == 0
    read(room.group, room.member, sent.sequence - 1)
    assert unread(room.group, room.member) == 0


def test_deleting_twice_writes_one_event(room: Room) -> None:
    room.delete(room.admin)
    before = room.last_event().sequence
    room.delete(room.member)
    assert room.last_event().sequence == before


def test_a_plain_member_cannot_delete_messages_of_others(room: Room) -> None:
    with pytest.raises(Forbidden):
        room.delete(room.other)
    assert room.message().content == "first words"


def test_in_a_direct_conversation_only_the_sender_may_delete() -> None:
    ana, ben = people("ana", "ben")
    sent = say(direct(ana, ben), ben)
    with pytest.raises(Forbidden):
        delete_message_for_everyone(user_id=ana.id, message_id=sent.message_id)
    delete_message_for_everyone(user_id=ben.id, message_id=sent.message_id)


def test_system_messages_cannot_be_deleted(room: Room) -> None:
    system_message = Message.objects.filter(message_type="system").first()
    assert system_message is not None
    with pytest.raises(Forbidden):
        delete_message_for_everyone(user_id=room.owner.id, message_id=system_message.id)


def test_a_deleted_message_cannot_be_edited(room: Room) -> None:
    room.delete(room.member)
    with pytest.raises(NotFound):
        room.edit(room.member)


@pytest.mark.django_db(transaction=True)
def test_concurrent_edits_and_a_deletion_end_deleted(room: Room) -> None:
    edits = [lambda text=text: room.edit(room.member, text) for text in ("one", "two", "three")]
    *edited, deleted = at_once([*edits, lambda: room.delete(room.member)])
    assert deleted is None
    assert all(isinstance(result, Message | NotFound) for result in edited)
    assert (room.message().content, room.last_event().kind) == ("", "message_deleted")


def test_strangers_and_later_members_do_not_find_the_message(room: Room) -> None:
    stranger = person("stranger")
    for message_id in (room.sent.message_id, uuid.uuid4()):
        with pytest.raises(NotFound):
            edit_message(user_id=stranger.id, message_id=message_id, content="x")
        with pytest.raises(NotFound):
            delete_message_for_everyone(user_id=stranger.id, message_id=message_id)
    services.add_participants(user_id=room.owner.id, conversation_id=room.group.id, user_ids=[stranger.id])
    services.update_participant(
        user_id=room.owner.id, conversation_id=room.group.id, other_id=stranger.id, role="admin"
    )
    with pytest.raises(NotFound):
        room.delete(stranger)


def test_the_last_message_of_a_conversation_shows_the_edit(room: Room) -> None:
    room.edit(room.member)
    top = conversation_body(room.other.id, room.group.id).last_message
    assert top is not None
    assert top.content == "better words"
