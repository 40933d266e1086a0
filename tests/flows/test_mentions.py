"""Mentions: every device shows the count of unread mentions, also after edits, deletions and reads."""

from typing import Any

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.rest import refused

CLIENT_ID = "0a3cf4a5-7d4f-4f0e-9d3c-0f6f2c9a5b11"


def naming(*people: Device) -> list[dict[str, Any]]:
    return [{"user_id": person.id, "offset": offset, "length": 1} for offset, person in enumerate(people)]


async def counts(device: Device, conversation: Any) -> tuple[int, int]:
    """Mention count and unread count; the list and the conversation must agree on the mentions."""
    body = await device.looks_at(conversation)
    [listed] = [each for each in await device.lists_conversations() if each["id"] == body["id"]]
    assert listed["mention_count"] == body["mention_count"]
    return body["mention_count"], body["unread_count"]


async def test_a_mention_is_counted_until_another_device_reads_it(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        trip = await ana.gathers(ben, cleo)
        phone = await ben.another_device("phone")
        of_ben = [{"user_id": ben.id, "offset": 3, "length": 4}]
        first = await ana.sends("\U0001f44b\U0001f3fd @ben", to=trip, mentions=of_ben)
        await ana.sends("ben and cleo", to=trip, mentions=naming(ben, cleo))
        for device in (ana, ben, cleo, phone):
            frame = await device.receives("new_message", conversation=trip, sequence=first["sequence"])
            assert frame["message"]["mentions"] == of_ben
        assert [await counts(device, trip) for device in (ana, ben, cleo)] == [(0, 0), (2, 2), (1, 2)]
        await ben.says("read_receipt", message_id=first["message_id"])
        read = await phone.receives("conversation_read", conversation=trip)
        assert (read["unread_count"], read["mention_count"]) == (1, 1)
        assert await counts(phone, trip) == (1, 1)


async def test_edits_and_deletions_change_mentions(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        trip = await ana.gathers(ben, cleo)
        await ben.disconnects()
        sent = await ana.posts_message("who?", to=trip, mentions=naming(ben))
        edited = await ana.patches(f"/messages/{sent['id']}", {"content": "who!", "mentions": naming(cleo)})
        assert edited["mentions"] == naming(cleo)
        frame = await cleo.receives("message_updated", conversation=trip)
        assert frame["message"]["mentions"] == naming(cleo)
        assert (await counts(ben, trip), await counts(cleo, trip)) == ((0, 1), (1, 1))
        await ben.connects()
        await ben.asks("sync", cursors={trip["id"]: 2})
        [new] = ben.heard("new_message")
        assert new["message"]["mentions"] == naming(cleo)
        await ana.deletes(f"/messages/{sent['id']}", **{"for": "everyone"})
        assert await counts(cleo, trip) == (0, 0)


async def test_invalid_mentions_are_refused_with_the_field_name(people: People) -> None:
    async with people("ana", "ben", "dan") as (ana, ben, dan):
        trip = await ana.gathers(ben)
        for wrong in (naming(dan), naming(ben) * 2, [{**naming(ben)[0], "length": 3}], naming(ben) * 51):
            error = await ana.hears_error_of(
                "send_message",
                conversation_id=trip["id"],
                client_message_id=CLIENT_ID,
                content="hi",
                mentions=wrong,
            )
            assert (error["code"], list(error["fields"])) == ("invalid", ["mentions"])
        sent = await ana.sends("hi", to=trip, client_message_id=CLIENT_ID, mentions=naming(ben))
        with refused("idempotency_conflict", status=409):
            await ana.posts_message("hi", to=trip, client_message_id=CLIENT_ID)
        with refused("invalid", status=400):
            await ana.patches(f"/messages/{sent['message_id']}", {"content": "hi", "mentions": naming(dan)})


async def test_an_owner_switches_off_a_groups_notifications_for_everybody(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        trip = await ana.gathers(ben)
        assert trip["settings"] == {"notifications_enabled": True}
        changed = await ana.patches(f"/conversations/{trip['id']}", {"settings": {"notifications_enabled": False}})
        assert changed["settings"] == {"notifications_enabled": False}
        frame = await ben.receives("conversation_updated", conversation=trip)
        assert frame["conversation"]["settings"] == {"notifications_enabled": False}
        with refused("forbidden", status=403):
            await ben.patches(f"/conversations/{trip['id']}", {"settings": {"notifications_enabled": True}})
        direct = await ana.talks_to(ben)
        with refused("forbidden", status=403):
            await ana.patches(f"/conversations/{direct['id']}", {"settings": {"notifications_enabled": False}})
        await ana.patches(f"/conversations/{trip['id']}", {"name": "Journey", "settings": {}})
        assert (await ben.looks_at(trip))["settings"] == {"notifications_enabled": False}
