"""One person blocks another: the frames their devices receive, and those that no longer pass between the two."""

from tests.harness.people import People
from tests.harness.rest import refused


async def test_a_block_ends_writing_in_the_direct_conversation_at_once(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        talk = await ana.talks_to(ben)
        phone = await ana.another_device("phone", server=ben.server)
        await ben.sends("before", to=talk)
        assert (await ana.posts("/users/block", {"user_id": ben.id}))["username"] == ben.username
        for device in (ana, phone, ben):
            updated = await device.receives("conversation_updated", conversation=talk)
            assert updated["conversation"]["my_permissions"] == []
        for device in (ana, ben):
            assert (await device.hears_error_of("send_message", **message_to(talk)))["code"] == "forbidden"
            with refused("forbidden", status=403):
                await device.posts_message("anyway", to=talk)
        assert [each["content"] for each in await ben.history(talk)] == ["before"]
        assert [each["id"] for each in (await ana.gets("/users/block"))["results"]] == [ben.id]
        assert (await ben.gets("/users/block"))["results"] == []
        await ana.deletes(f"/users/block/{ben.id}")
        updated = await ben.receives("conversation_updated", conversation=talk)
        assert updated["conversation"]["my_permissions"] == ["send_messages"]
        await ben.sends("after", to=talk)
        await ana.receives("new_message", content="after")


async def test_a_blocked_pair_sees_no_typing_and_no_presence(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        team = await ana.gathers(ben, cleo)
        await ben.receives("presence", user=ana, status="online", within=10)
        await ana.posts("/users/block", {"user_id": ben.id})
        assert "last_seen" not in await ben.receives("presence", user=ana, status="offline")
        await ana.receives("presence", user=ben, status="offline")
        for types, other in ((ana, ben), (ben, ana)):
            await types.says("typing", conversation_id=team["id"], is_typing=True)
            await cleo.receives("typing", user=types, is_typing=True)
            await other.hears_everything_from(cleo, in_=team)
            other.has_not_heard("typing", user=types)
            await cleo.receives("typing", user=types, is_typing=False)
        assert (await ben.gets(f"/users/{ana.id}/profile"))["presence"] == {
            "status": "offline",
            "activity": None,
            "last_seen": None,
        }
        assert (await cleo.gets(f"/users/{ana.id}/profile"))["presence"]["status"] == "online"
        await ana.says("presence_update", status="busy")
        await cleo.receives("presence", user=ana, status="busy")
        await ben.hears_everything_from(cleo, in_=team)
        ben.has_not_heard("presence", user=ana, status="busy")
        again = await ben.another_device("phone", server=ana.server)
        await again.receives("presence", user=cleo, status="online", within=10)
        again.has_not_heard("presence", user=ana)
        await ana.deletes(f"/users/block/{ben.id}")
        await ben.receives("presence", user=ana, status="busy")


def message_to(conversation: dict) -> dict:
    return {
        "conversation_id": conversation["id"],
        "content": "anyway",
        "client_message_id": "01890000-0000-7000-8000-000000000001",
    }
