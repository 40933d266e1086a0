"""The types of requests and commands: bounds, defaults, and refusals."""

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings

import realtime.socket.consumer  # noqa: F401 - registers the commands of the realtime app
from accounts.frames import UserSearch
from conversations.frames import ConversationListQuery, EventsQuery, LeaveQuery, PageQuery
from messaging.frames import DeleteQuery, HistoryQuery, Location, ReadReceipt
from realtime.socket.commands import decode_command, ids_of
from realtime.wire.bodies import Request, convert, decode, encode
from realtime.wire.errors import DomainError
from realtime.wire.frames import Ping, error_frame

ID, OTHER = str(uuid4()), str(uuid4())


@pytest.mark.parametrize(
    ("latitude", "longitude", "fits"),
    [(90, 180, True), (-90, -180, True), (90.5, 0, False), (-90.5, 0, False), (0, 180.5, False), (0, -180.5, False)],
)
def test_a_location_has_bounds(latitude: float, longitude: float, fits: bool) -> None:
    text = json.dumps({"latitude": latitude, "longitude": longitude})
    if fits:
        assert decode(text, Location).label == ""
        return
    with pytest.raises(DomainError, match="itude"):
        decode(text, Location)


@pytest.mark.parametrize(
    ("fields", "fits"),
    [
        ({"message_id": ID}, True),
        ({"conversation_id": ID, "sequence": 0}, True),
        ({}, False),
        ({"conversation_id": ID}, False),
        ({"sequence": 1}, False),
        ({"message_id": ID, "sequence": 1}, False),
        ({"message_id": ID, "conversation_id": OTHER}, False),
        ({"message_id": ID, "conversation_id": OTHER, "sequence": 1}, False),
    ],
)
def test_a_receipt_names_a_message_or_a_sequence_of_a_conversation(fields: dict[str, Any], fits: bool) -> None:
    text = json.dumps({"type": "read_receipt", **fields})
    if fits:
        receipt = decode(text, ReadReceipt)
        named = {name: getattr(receipt, name) for name in ("message_id", "conversation_id", "sequence")}
        assert (
            json.loads(json.dumps({name: value for name, value in named.items() if value is not None}, default=str))
            == fields
        )
        return
    with pytest.raises(DomainError) as refused:
        decode(text, ReadReceipt)
    assert set(refused.value.fields or {}) == {"message_id"}


def test_query_parameters_default_to_everything_from_the_beginning() -> None:
    assert convert({}, EventsQuery).after == 0
    assert convert({"after": "7"}, EventsQuery).after == 7
    listed = convert({}, ConversationListQuery)
    assert (listed.cursor, listed.unread, listed.archived, listed.q) == (None, False, None, "")
    for name in ("before", "after", "around"):
        assert getattr(convert({}, HistoryQuery), name) is None
        assert getattr(convert({name: "7"}, HistoryQuery), name) == 7


LIMITS = settings.LIMITS
TEXT_BOUNDS = [
    (UserSearch, "q", 1, 64),
    (ConversationListQuery, "cursor", 0, 200),
    (ConversationListQuery, "q", 0, 100),
    (PageQuery, "cursor", 0, 200),
]
NUMBER_BOUNDS = [
    (ConversationListQuery, "limit", 1, LIMITS.page_size_max),
    (PageQuery, "limit", 1, LIMITS.page_size_max),
    (HistoryQuery, "limit", 1, LIMITS.page_size_max),
    (EventsQuery, "limit", 1, LIMITS.catch_up_events),
    (EventsQuery, "after", 0, 2**53),
    *((HistoryQuery, name, 0, 2**53) for name in ("before", "after", "around")),
]


@pytest.mark.parametrize(("kind", "field", "least", "most"), TEXT_BOUNDS + NUMBER_BOUNDS)
def test_query_parameters_have_bounds(kind: type[Request], field: str, least: int, most: int) -> None:
    def value(size: int) -> str:
        return "x" * size if (kind, field, least, most) in TEXT_BOUNDS else str(size)

    for size in (least, most):
        assert str(getattr(convert({field: value(size)}, kind), field)) == value(size)
    for size in (least - 1, most + 1):
        if value(size) == value(least):
            continue  # the least length is 0: there is no shorter text
        with pytest.raises(DomainError) as refused:
            convert({field: value(size)}, kind)
        assert set(refused.value.fields or {}) == {field}


@pytest.mark.parametrize(("label", "fits"), [("", True), ("x" * 200, True), ("x" * 201, False), ("a\x00", False)])
def test_a_long_location_label_or_one_with_nul_is_refused(label: str, fits: bool) -> None:
    location = {"latitude": 1, "longitude": 2, "label": label}
    if fits:
        assert convert(location, Location).label == label
        return
    with pytest.raises(DomainError, match="label"):
        convert(location, Location)


def test_a_search_with_nul_is_refused() -> None:
    with pytest.raises(DomainError, match="q"):
        convert({"q": "a\x00"}, ConversationListQuery)


def test_query_parameters_have_defaults() -> None:
    for kind in (ConversationListQuery, PageQuery, HistoryQuery):
        assert convert({}, kind).limit == LIMITS.page_size
    assert convert({}, EventsQuery).limit == LIMITS.page_size_max
    assert convert({}, EventsQuery).epoch is None
    assert convert({"epoch": ID}, EventsQuery).epoch == UUID(ID)
    assert convert({}, LeaveQuery) == convert({"mode": "leave"}, LeaveQuery)
    with pytest.raises(DomainError, match="for"):
        convert({}, DeleteQuery)
    assert convert({"for": "everyone"}, DeleteQuery).for_ == "everyone"


@pytest.mark.parametrize(
    ("text", "code", "fields"),
    [
        ('{"type": "dance"}', "unknown_type", {"type"}),
        ("{}", "unknown_type", {"type"}),
        ('{"type": "ping", "colour": "red"}', "invalid", {"colour"}),
        ('{"type": "ping", "id": 7}', "invalid", {"id"}),
        ("[]", "malformed", set()),
        ('{"type":', "malformed", set()),
        ("[" * 5_000, "malformed", set()),
        ('"\ud800"', "malformed", set()),
        ('{"type": "ping", "id": "\\ud83d"}', "invalid", {"id"}),
        ('{"type": "send_message", "metadata": {"a": ["\\udc00"]}}', "invalid", {"metadata"}),
        ('{"\\ud83d": 1, "type": "ping"}', "invalid", {"?"}),
    ],
)
def test_an_invalid_command_is_refused_with_the_reason(text: str, code: str, fields: set[str]) -> None:
    with pytest.raises(DomainError) as refused:
        decode_command(text)
    assert (refused.value.code, set(refused.value.fields or {})) == (code, fields)


def test_an_error_frame_omits_missing_ids() -> None:
    refusal = {"code": "invalid", "message": "no"}
    said = {"type": "error", **refusal}
    assert json.loads(encode(error_frame(refusal, id=None))) == said
    ids = {"id": "7", "client_message_id": "m"}
    assert json.loads(encode(error_frame(refusal, id="7", client_message_id="m"))) == {**said, **ids}


def test_a_refusal_carries_the_ids_that_can_be_read() -> None:
    assert decode_command('{"type": "ping", "id": "7"}') == Ping(id="7")
    longest = "x" * 128
    for text, id, client_message_id in (
        (f'{{"id": "{longest}", "client_message_id": "m"}}', longest, "m"),
        (f'{{"id": "{longest}x", "client_message_id": 5}}', None, None),
        ('{"id": 7}', None, None),
        ('["id"]', None, None),
        ("nonsense", None, None),
        ('{"id": "7", "client_message_id": "m", "content": "\\ud83d"}', "7", "m"),
        ('{"id": "\\ud83d", "client_message_id": "\\ud83d\\ude00"}', None, "\U0001f600"),
        ('{"client_message_id": "5D1C6A52-4F0E-4D3C-9C3C-0F6F2C9A5B11"}', None, "5d1c6a52-4f0e-4d3c-9c3c-0f6f2c9a5b11"),
    ):
        assert ids_of(text) == {"id": id, "client_message_id": client_message_id}
