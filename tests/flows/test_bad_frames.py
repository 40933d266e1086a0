"""Every bad frame gets an error or a close code; none crashes the server."""

import json
from uuid import uuid4

import pytest

from tests.harness.people import People


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ({"type": "dance", "id": "7"}, "unknown_type"),
        ({"id": "7"}, "unknown_type"),
        ({"type": 5, "id": "7"}, "unknown_type"),
        ({"type": "send_message", "id": "7"}, "invalid"),
        ({"type": "typing", "id": "7", "conversation_id": "x", "is_typing": True}, "invalid"),
        ({"type": "typing", "id": "7", "conversation_id": str(uuid4()), "is_typing": "yes"}, "invalid"),
        ({"type": "ping", "id": "7", "colour": "red"}, "invalid"),
        ({"type": "sync", "id": "7", "cursors": {"x": 1}}, "invalid"),
        ({"type": "sync", "id": "7", "cursors": {str(uuid4()): -1}}, "invalid"),
        ({"type": "read_receipt", "id": "7"}, "invalid"),
        ({"type": "typing", "id": "7", "conversation_id": str(uuid4()), "is_typing": True}, "not_found"),
        ({"type": "delivery_receipt", "id": "7", "message_id": str(uuid4())}, "not_found"),
    ],
)
async def test_a_bad_frame_gets_an_error_with_its_id(people: People, frame: dict, code: str) -> None:
    async with people("ana") as (ana,):
        await ana.says_raw(json.dumps(frame))
        error = await ana.receives("error", id="7")
        assert error["code"] == code
        assert error["message"]
        await ana.asks("ping")


@pytest.mark.parametrize("text", ["", "nonsense", "[]", "5", "null", '{"type":', '"ping"', "{}" * 2, "[" * 5_000])
async def test_text_that_is_no_json_object_is_malformed(people: People, text: str) -> None:
    async with people("ana") as (ana,):
        await ana.says_raw(text)
        assert (await ana.receives("error"))["code"] in ("malformed", "unknown_type")
        await ana.asks("ping")


async def test_the_refusal_of_a_message_carries_its_client_message_id(people: People) -> None:
    async with people("ana") as (ana,):
        mine = str(uuid4())
        await ana.says("send_message", conversation_id=str(uuid4()), content="hi", client_message_id=mine)
        error = await ana.receives("error", client_message_id=mine)
        assert error["code"] == "not_found"


async def test_more_than_twenty_bad_frames_close_the_socket(people: People) -> None:
    async with people("ana") as (ana,):
        for number in range(20):
            await ana.says_raw(f"nonsense {number}")
            await ana.receives("error")
        await ana.asks("ping")
        await ana.says_raw("nonsense, once more")
        await ana.is_closed(4400)
        ana.takes_all()


async def test_refusals_for_missing_rights_are_not_counted_as_bad_frames(people: People) -> None:
    async with people("ana") as (ana,):
        for _ in range(25):
            await ana.hears_error_of("typing", conversation_id=str(uuid4()), is_typing=True)
        await ana.asks("ping")


async def test_an_oversize_frame_closes_the_socket(people: People) -> None:
    async with people("ana") as (ana,):
        fits = json.dumps({"type": "ping", "id": "x" * 100, "timestamp": 1})
        await ana.says_raw(fits + " " * (65_536 - len(fits)))
        await ana.receives("pong")
        await ana.says_raw(fits + " " * (65_537 - len(fits)))
        await ana.is_closed(1009)


async def test_a_binary_frame_closes_the_socket(people: People) -> None:
    async with people("ana") as (ana,):
        await ana.says_raw(b'{"type": "ping"}')
        await ana.is_closed(1003)


async def test_invalid_utf8_closes_the_socket(people: People) -> None:
    async with people("ana") as (ana,):
        await ana.says_raw_text(b'{"type": "ping", "id": "\xff\xfe"}')
        await ana.is_closed(1007)


async def test_bad_frames_of_one_client_do_not_affect_others(people: People) -> None:
    async with people("ana", "ben", "eve") as (ana, ben, eve):
        conversation = await ana.talks_to(ben)
        await eve.says_raw(b"\x00")
        await eve.is_closed(1003)
        await ana.sends("hi", to=conversation)
        await ben.receives("new_message", content="hi")


@pytest.mark.parametrize("limits", [{"messages_per_second": 1, "messages_burst": 3}])
async def test_messages_over_the_rate_are_refused_and_none_is_lost(starts_site, limits: dict) -> None:
    site = starts_site("embedded", limits=limits)
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        for number in range(3):
            await ana.sends(f"fast {number}", to=conversation)
        refusal = await ana.hears_error_of(
            "send_message", conversation_id=conversation["id"], content="too fast", client_message_id=str(uuid4())
        )
        assert refusal["code"] == "rate_limited"
        assert 0 < refusal["retry_after"] <= 1.5
        status, error = await ana.request("POST", "/messages", {"conversation_id": conversation["id"], "content": "!"})
        assert (status, error["code"]) == (429, "rate_limited")
        await ben.sends("my own bucket", to=conversation)
        assert ana.is_connected
        assert len(await ben.history(conversation)) == 4


async def test_frames_over_the_rate_are_refused(starts_site) -> None:
    site = starts_site("embedded", limits={"frames_per_second": 1, "frames_burst": 5})
    async with People(site)("ana") as (ana,):
        for _ in range(5):
            await ana.asks("ping")
        await ana.says("ping")
        assert (await ana.receives("error"))["code"] == "rate_limited"
        assert ana.is_connected
