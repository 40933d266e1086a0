"""Edits and deletions of messages reach every device."""

import asyncio

from tests.harness.people import People
from tests.harness.rest import refused


async def test_an_edit_reaches_everybody(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        phone = await ana.another_device("phone")
        ack = await ana.sends("helo", to=conversation)
        edited = await ana.patches(f"/messages/{ack['message_id']}", {"content": "hello"})
        assert edited["content"] == "hello"
        assert edited["sequence"] == ack["sequence"]
        for device in (ana, ben, phone):
            frame = await device.receives("message_updated", conversation=conversation, content="hello")
            assert frame["sequence"] == ack["sequence"] + 1
            assert frame["message"]["id"] == ack["message_id"]
            assert frame["message"]["sequence"] == ack["sequence"]
            assert frame["message"]["edited_at"] is not None
        [message] = await ben.history(conversation)
        assert message["content"] == "hello"


async def test_a_deleted_message_leaves_a_tombstone(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        ack = await ana.sends("regret", to=conversation, metadata={"mood": "bad"})
        await ana.deletes(f"/messages/{ack['message_id']}", **{"for": "everyone"})
        frame = await ben.receives("message_deleted", conversation=conversation)
        [message] = await ben.history(conversation)
        for tombstone in (frame["message"], message):
            assert tombstone["id"] == ack["message_id"]
            assert tombstone["sequence"] == ack["sequence"]
            assert tombstone["sender_user_id"] == ana.id
            assert tombstone["deleted_at"] is not None
            assert (tombstone["content"], tombstone["metadata"]) == ("", {})
            assert (tombstone["mentions"], tombstone["attachments"], tombstone["reactions"]) == ([], [], [])


async def test_deleted_text_does_not_come_back_with_the_log(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ben.disconnects()
        ack = await ana.sends("first words", to=conversation)
        await ana.patches(f"/messages/{ack['message_id']}", {"content": "second words"})
        await ana.deletes(f"/messages/{ack['message_id']}", **{"for": "everyone"})
        await ben.connects()
        await ben.asks("sync", cursors={conversation["id"]: 1})
        assert [frame["sequence"] for frame in ben.all_heard() if "sequence" in frame] == [2, 3, 4]
        log = await ben.gets(f"/conversations/{conversation['id']}/events", after=0)
        for text in (str(ben.all_heard()), str(log), str(await ben.lists_conversations())):
            assert "words" not in text


async def test_only_the_author_may_edit_or_delete(people: People) -> None:
    async with people("ana", "ben", "eve") as (ana, ben, eve):
        conversation = await ana.talks_to(ben)
        path = f"/messages/{(await ana.sends('mine', to=conversation))['message_id']}"
        for device, code, status in ((ben, "forbidden", 403), (eve, "not_found", 404)):
            with refused(code, status=status):
                await device.patches(path, {"content": "yours"})
            with refused(code, status=status):
                await device.deletes(path, **{"for": "everyone"})
        assert (await ana.gets(path))["content"] == "mine"


async def test_a_deleted_message_cannot_be_edited(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        path = f"/messages/{(await ana.sends('mine', to=conversation))['message_id']}"
        await ana.deletes(path, **{"for": "everyone"})
        status, error = await ana.request("PATCH", path, {"content": "again"})
        assert 400 <= status < 500, error
        assert (await ben.gets(path))["content"] == ""


async def test_deleting_twice_makes_one_event(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        path = f"/messages/{(await ana.sends('mine', to=conversation))['message_id']}"
        await ana.deletes(path, **{"for": "everyone"})
        status, _ = await ana.request("DELETE", path, query={"for": "everyone"})
        assert status < 500
        await ben.hears_everything_from(ana, in_=conversation)
        assert len(ben.heard("message_deleted")) == 1


async def test_an_edit_after_the_window_is_refused(starts_site, profile) -> None:
    site = starts_site(profile, limits={"edit_window_seconds": 1})
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        path = f"/messages/{(await ana.sends('late', to=conversation))['message_id']}"
        await asyncio.sleep(1.1)  # the edit window
        with refused("edit_window_closed", status=403):
            await ana.patches(path, {"content": "later"})
        ben.has_not_heard("message_updated")
