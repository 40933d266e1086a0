"""Groups: creation, participants, roles, names."""

from tests.harness.people import People
from tests.harness.rest import refused


async def test_a_new_group_reaches_every_participant(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        group = await ana.gathers(ben, cleo, name="Trip")
        assert group["type"] == "group"
        assert group["participant_count"] == 3
        for device in (ana, ben, cleo):
            created = await device.receives("conversation_created", conversation=group)
            assert created["conversation"]["name"] == created["conversation"]["display_name"] == "Trip"
            first = await device.receives("new_message", conversation=group, message_type="system")
            assert first["message"]["metadata"]["event"] == "group_created"
            assert first["message"]["sender_user_id"] is None
        assert (await ana.looks_at(group))["me"]["role"] == "owner"
        bens = await ben.looks_at(group)
        assert bens["me"]["role"] == "member"
        assert bens["unread_count"] == 0
        await cleo.sends("hello all", to=group)
        for device in (ana, ben, cleo):
            await device.receives("new_message", content="hello all")


async def test_a_new_participant_sees_only_later_messages(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        group = await ana.gathers(ben)
        before = await ana.sends("before cleo", to=group)
        await ana.posts(f"/conversations/{group['id']}/participants", {"user_ids": [cleo.id]})
        added = await cleo.receives("participant_added", conversation=group, user=cleo)
        assert added["participant"]["username"] == cleo.username
        await ben.receives("participant_added", conversation=group, user=cleo)
        await ana.sends("welcome", to=group)
        await cleo.receives("new_message", content="welcome")

        assert "before cleo" not in str(await cleo.history(group))
        assert [each["content"] for each in await cleo.history(group) if each["message_type"] == "text"] == ["welcome"]
        with refused("not_found", status=404):
            await cleo.gets(f"/messages/{before['message_id']}")
        with refused("resync_required", status=410):
            await cleo.gets(f"/conversations/{group['id']}/events", after=0)
        joined = await cleo.looks_at(group)
        assert joined["unread_count"] == 1
        assert joined["last_message"]["content"] == "welcome"
        complete = await cleo.asks("sync", cursors={group["id"]: 0})
        assert complete["resync"] == [group["id"]]

        # Of an edit of an earlier message cleo receives only the sequence.
        await ana.patches(f"/messages/{before['message_id']}", {"content": "edited before cleo"})
        await cleo.receives("event_hidden", conversation=group)
        assert "before cleo" not in str(cleo.all_heard())


async def test_a_removed_participant_receives_nothing_more(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        group = await ana.gathers(ben, cleo)
        aside = await ana.talks_to(cleo)
        said = await ana.sends("all together", to=group)
        await cleo.receives("new_message", content="all together")
        await ana.deletes(f"/conversations/{group['id']}/participants/{cleo.id}")
        for device in (ana, ben, cleo):
            await device.receives("participant_removed", conversation=group, user=cleo)

        await ana.sends("without cleo", to=group)
        await ana.says("typing", conversation_id=group["id"], is_typing=True)
        await ben.says("read_receipt", conversation_id=group["id"], sequence=said["sequence"])
        await ana.receives("message_read", reader=ben)
        await cleo.hears_everything_from(ana, in_=aside)
        cleo.has_not_heard("new_message", content="without cleo")
        cleo.has_not_heard("typing", conversation=group)
        cleo.has_not_heard("message_read", conversation=group)

        with refused("not_found"):
            await cleo.sends("let me in", to=group)
        for path in (
            f"/conversations/{group['id']}",
            f"/conversations/{group['id']}/messages",
            f"/conversations/{group['id']}/events",
            f"/messages/{said['message_id']}",
            f"/messages/{said['message_id']}/receipts",
        ):
            with refused("not_found", status=404):
                await cleo.gets(path)
        complete = await cleo.asks("sync", cursors={group["id"]: 1})
        assert group["id"] not in complete["heads"]
        assert group["id"] not in [each["id"] for each in await cleo.lists_conversations()]
        assert (await ana.looks_at(group))["participant_count"] == 2


async def test_a_returning_participant_does_not_see_messages_of_the_absence(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        group = await ana.gathers(ben, cleo)
        await ana.deletes(f"/conversations/{group['id']}/participants/{cleo.id}")
        await ana.sends("behind cleo's back", to=group)
        await ana.posts(f"/conversations/{group['id']}/participants", {"user_ids": [cleo.id]})
        await ana.sends("welcome back", to=group)
        await cleo.receives("new_message", content="welcome back")
        assert "behind cleo" not in str(cleo.all_heard()) + str(await cleo.history(group))
        complete = await cleo.asks("sync", cursors={group["id"]: 2})
        assert complete["resync"] == [group["id"]]


async def test_a_member_who_leaves_no_longer_lists_the_group(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        group = await ana.gathers(ben)
        await ben.deletes(f"/conversations/{group['id']}", mode="leave")
        for device in (ana, ben):
            await device.receives("participant_removed", conversation=group, user=ben)
        assert await ben.lists_conversations() == []
        assert (await ana.looks_at(group))["participant_count"] == 1


async def test_the_longest_standing_admin_succeeds_an_owner_who_leaves(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        group = await ana.gathers(ben, cleo)
        await ana.patches(f"/conversations/{group['id']}/participants/{cleo.id}", {"role": "admin"})
        await ana.deletes(f"/conversations/{group['id']}", mode="leave")
        await ben.receives("participant_removed", conversation=group, user=ana)
        owner = await ben.receives("participant_updated", conversation=group, role="owner")
        assert owner["participant"]["user_id"] == cleo.id
        assert (await cleo.looks_at(group))["me"]["role"] == "owner"


async def test_a_direct_conversation_cannot_be_left_or_joined(people: People) -> None:
    async with people("ana", "ben", "cleo", connected=False) as (ana, ben, cleo):
        conversation = await ana.talks_to(ben)
        for attempt in (
            ana.deletes(f"/conversations/{conversation['id']}", mode="leave"),
            ana.posts(f"/conversations/{conversation['id']}/participants", {"user_ids": [cleo.id]}),
            ana.deletes(f"/conversations/{conversation['id']}/participants/{ben.id}"),
            ana.patches(f"/conversations/{conversation['id']}", {"name": "Us"}),
        ):
            with refused("forbidden", status=403):
                await attempt


async def test_roles_decide_permissions(people: People) -> None:
    async with people("ana", "ben", "cleo", "dan", connected=False) as (ana, ben, cleo, dan):
        group = await ana.gathers(ben, cleo)
        at = f"/conversations/{group['id']}"
        assert set((await cleo.looks_at(group))["my_permissions"]) == {"send_messages", "leave"}
        for attempt in (
            cleo.posts(f"{at}/participants", {"user_ids": [dan.id]}),
            cleo.deletes(f"{at}/participants/{ben.id}"),
            cleo.patches(at, {"name": "Mine now"}),
            cleo.patches(f"{at}/participants/{cleo.id}", {"role": "owner"}),
        ):
            with refused("forbidden", status=403):
                await attempt

        await ana.patches(f"{at}/participants/{ben.id}", {"role": "admin"})
        assert "add_participants" in (await ben.looks_at(group))["my_permissions"]
        await ben.posts(f"{at}/participants", {"user_ids": [dan.id]})
        await ben.patches(at, {"name": "Ben's"})
        await ben.deletes(f"{at}/participants/{dan.id}")
        for attempt in (
            ben.deletes(f"{at}/participants/{ana.id}"),
            ben.patches(f"{at}/participants/{cleo.id}", {"role": "admin"}),
        ):
            with refused("forbidden", status=403):
                await attempt

        await ana.patches(f"{at}/participants/{ben.id}", {"role": "owner"})
        assert (await ben.looks_at(group))["me"]["role"] == "owner"
        assert (await ana.looks_at(group))["me"]["role"] == "admin"


async def test_a_participant_without_send_permission_is_refused(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        group = await ana.gathers(ben)
        at = f"/conversations/{group['id']}/participants/{ben.id}"
        await ana.patches(at, {"can_send_messages": False})
        await ben.receives("participant_updated", conversation=group, user=ben, can_send_messages=False)
        assert "send_messages" not in (await ben.looks_at(group))["my_permissions"]
        with refused("forbidden"):
            await ben.sends("psst", to=group)
        with refused("forbidden", status=403):
            await ben.posts_message("psst", to=group)
        await ana.patches(at, {"can_send_messages": True})
        await ben.sends("thanks", to=group)


async def test_a_new_name_reaches_everybody(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        group = await ana.gathers(ben, name="Old")
        await ana.patches(f"/conversations/{group['id']}", {"name": "New"})
        changed = await ben.receives("conversation_updated", conversation=group)
        assert changed["conversation"]["name"] == "New"
        renamed = await ben.hears(
            lambda frame: (
                frame["type"] == "new_message" and frame["message"]["metadata"].get("event") == "conversation_renamed"
            ),
            "the system message",
        )
        assert renamed["message"]["metadata"]["name"] == "New"
        assert renamed["message"]["metadata"]["actor_user_id"] == ana.id


async def test_a_group_with_an_unknown_user_is_refused(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        with refused("invalid", status=400):
            await ana.posts(
                "/conversations",
                {"type": "group", "participant_ids": ["01890000-0000-7000-8000-000000000000"]},
            )
