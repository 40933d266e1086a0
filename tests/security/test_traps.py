"""Faults of the predecessor of this product. docs/security.md lists those with a test elsewhere."""

from uuid import uuid4

import pytest

from tests.harness.people import People
from tests.harness.rest import refused


async def test_an_open_socket_without_a_receipt_is_not_delivered(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        sent = await ana.sends("hi", to=conversation)
        await ben.receives("new_message", content="hi")
        await ben.asks("ping")  # his socket is open and alive
        assert (await ana.gets(f"/messages/{sent['message_id']}"))["status"] == "sent"
        await ben.says("delivery_receipt", message_id=sent["message_id"])
        await ana.receives("message_delivered", user=ben)
        assert (await ana.gets(f"/messages/{sent['message_id']}"))["status"] == "delivered"


@pytest.mark.parametrize("field", ["created_at", "timestamp", "sent_at", "sequence"])
async def test_order_and_times_come_from_the_server(people: People, field: str) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        value = 1 if field == "sequence" else "1999-12-31T23:59:59Z"
        draft = {"conversation_id": conversation["id"], "content": "from the past", "client_message_id": str(uuid4())}
        error = await ana.hears_error_of("send_message", **draft, **{field: value})
        assert (error["code"], list(error["fields"])) == ("invalid", [field])
        with refused("invalid", status=400):
            await ana.posts("/messages", draft | {field: value})
        first = await ana.sends("one", to=conversation)
        second = await ben.sends("two", to=conversation)
        assert second["sequence"] == first["sequence"] + 1
        assert [each["content"] for each in await ben.history(conversation)] == ["one", "two"]
