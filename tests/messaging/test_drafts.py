"""Valid and invalid drafts: text, locations, metadata, and their limits."""

import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from messaging.frames import MessageDraft
from messaging.models import Message
from messaging.services.drafts import Send, check_text, checked_send
from messaging.services.send import send_message
from realtime.wire.bodies import decode
from realtime.wire.errors import DomainError, Invalid
from tests.making import direct, people

LOCATION = {"latitude": 52.5, "longitude": 13.4}


def checked(**fields: Any) -> Send:
    return checked_send(MessageDraft(**fields), conversation_id=uuid.uuid4(), sender_id=uuid.uuid4())


def nested(depth: int, *, inside: Any = 1) -> dict[str, Any]:
    """An object that is `depth` levels deep."""
    value: Any = inside
    for _ in range(depth - 1):
        value = [value]
    return {"a": value}


def named(draft: dict[str, Any]) -> set[str]:
    with pytest.raises(Invalid) as refused:
        checked(**draft)
    return set(refused.value.fields or ())


@pytest.mark.parametrize(
    "content", ["a", " a ", "\U0001f9e8", "م", "a\nb", "a\u200d", "x" * 10_000, "\U0001f600" * 10_000]
)
def test_valid_text_is_kept_unchanged(content: str) -> None:
    assert checked(content=content).content == content


@pytest.mark.parametrize("content", ["", " ", "\n\t\u2003\u3000", "\u200b", "\u202e\u3164", "x" * 10_001, "a\x00b"])
def test_blank_long_or_unstorable_text_is_refused(content: str) -> None:
    assert named({"content": content}) == {"content"}


def test_blank_text_needs_blank_allowed() -> None:
    check_text(" ", blank_allowed=True)
    with pytest.raises(Invalid, match="blank"):
        check_text(" ")


def test_a_send_without_an_id_gets_a_new_one() -> None:
    one, two = checked(content="a"), checked(content="a")
    assert one.client_message_id != two.client_message_id
    mine = uuid.uuid4()
    assert checked(content="a", client_message_id=mine).client_message_id == mine


@pytest.mark.parametrize(
    "metadata",
    [
        LOCATION,
        {"latitude": -90, "longitude": 180},
        {**LOCATION, "label": "x" * 200},
    ],
)
def test_a_location_needs_no_text(metadata: dict[str, Any]) -> None:
    assert checked(message_type="location", metadata=metadata).metadata == metadata


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"latitude": 1},
        {"latitude": 90.1, "longitude": 0},
        {"latitude": 0, "longitude": -180.1},
        {"latitude": "1", "longitude": "x"},
        {"latitude": float("nan"), "longitude": 0},
        {"latitude": None, "longitude": 0},
        {**LOCATION, "altitude": 3},
        {**LOCATION, "label": "x" * 201},
        {**LOCATION, "label": "\x00"},
    ],
)
def test_an_invalid_location_is_refused(metadata: dict[str, Any]) -> None:
    assert named({"message_type": "location", "metadata": metadata}) == {"metadata"}


def test_metadata_deeper_or_larger_than_the_limits_is_refused(limits: Callable[..., None]) -> None:
    limits(json_depth=3, json_keys=3)
    assert checked(content="a", metadata=nested(2)).metadata == nested(2)
    assert checked(content="a", metadata={"a": {"b": {}}, "c": []})
    assert named({"content": "a", "metadata": nested(4)}) == {"metadata"}
    assert named({"content": "a", "metadata": {"a": {"b": 1, "c": 2}, "d": 3}}) == {"metadata"}


@pytest.mark.parametrize("metadata", [{"a\x00": 1}, {"a": "\x00"}, {"a": [{"b": ["\x00"]}]}])
def test_metadata_with_nul_characters_is_refused(metadata: dict[str, Any]) -> None:
    assert named({"content": "a", "metadata": metadata}) == {"metadata"}


def test_text_and_metadata_share_one_size_limit() -> None:
    half = 32 * 1024
    text = "\U0001f600" * 7_000
    assert checked(content=text, metadata={"a": "x" * half})
    for draft in (
        {"content": text, "metadata": {"a": "x" * (half + 8_000)}},
        {"content": "a", "metadata": {"a": "x" * 65_536}},
    ):
        assert named(draft) == {"content"}


def test_the_size_limit_counts_bytes_with_or_without_metadata(limits: Callable[..., None]) -> None:
    limits(stored_message_bytes=12)
    for largest in ({"content": "x" * 12}, {"content": "\U0001f600" * 3}, {"content": "x" * 5, "metadata": {"a": 1}}):
        assert checked(**largest)
        assert named({**largest, "content": largest["content"] + "y"}) == {"content"}


@pytest.mark.parametrize("number", [0, -0.0, 1e-12, -1e-12, 2**53, -(2**53), 1.5])
def test_numbers_that_every_client_reads_exactly_are_accepted(number: float) -> None:
    assert checked(content="a", metadata={"a": number}).metadata == {"a": number}


@pytest.mark.parametrize("number", [9.9e-13, -9.9e-13, 2**53 + 1, -(2**53) - 1, 2.0**53 + 2, 1e308])
def test_numbers_out_of_range_are_refused(number: float) -> None:
    assert named({"content": "a", "metadata": {"a": [number]}}) == {"metadata"}


def test_a_checked_send_keeps_every_field_of_its_draft() -> None:
    fields = {
        "content": "here",
        "message_type": "location",
        "client_message_id": uuid.uuid4(),
        "reply_to_id": uuid.uuid4(),
        "metadata": LOCATION,
        "mentions": [],
    }
    talk_id, sender_id = uuid.uuid4(), uuid.uuid4()
    send = checked_send(MessageDraft(**fields), conversation_id=talk_id, sender_id=sender_id)
    assert msgspec.structs.asdict(send) == {
        **fields,
        "mentions": (),
        "conversation_id": talk_id,
        "sender_id": sender_id,
    }


@pytest.mark.parametrize("field", ["sender_id", "sequence", "attachment_ids", "status", "created_at"])
def test_a_field_only_the_server_may_set_is_refused(field: str) -> None:
    with pytest.raises(DomainError) as refused:
        decode(b'{"content": "a", "%s": 1}' % field.encode(), MessageDraft)
    assert (refused.value.code, set(refused.value.fields or ())) == ("invalid", {field})


def test_message_types_clients_may_not_send_are_refused() -> None:
    for kind in ("system", "image", ""):
        with pytest.raises(DomainError, match="message_type"):
            decode(b'{"message_type": "%s", "content": "a"}' % kind.encode(), MessageDraft)


HOSTILE_VALUES = [
    10**30,
    -(10**30),
    2**63,
    2**64,
    1.5e15,
    5e-324,
    -0.0,
    "\u2028\ufeff\ud7ff",
    "\U0010ffff" * 3,
    "\\u0000",
    "'); DROP TABLE messaging_message; --",
    "%s %(a)s {}",
    [[], {}, None, True, ""],
]


@pytest.mark.django_db
@pytest.mark.parametrize("value", HOSTILE_VALUES, ids=repr)
def test_accepted_metadata_is_read_back_unchanged(value: Any) -> None:
    ana, ben = people("ana", "ben")
    talk = direct(ana, ben)
    try:
        send = checked_send(
            MessageDraft(content="a", metadata={"value": value}), conversation_id=talk.id, sender_id=ana.id
        )
    except Invalid:
        return
    sent = send_message(send)
    assert Message.objects.get(id=sent.message_id).metadata == {"value": value}
    assert send_message(send).duplicate


@pytest.mark.django_db
@pytest.mark.parametrize("content", [value for value in HOSTILE_VALUES if isinstance(value, str)], ids=repr)
def test_accepted_text_is_read_back_unchanged(content: str) -> None:
    ana, ben = people("ana", "ben")
    sent = send_message(
        checked_send(MessageDraft(content=content), conversation_id=direct(ana, ben).id, sender_id=ana.id)
    )
    assert Message.objects.get(id=sent.message_id).content == content
