"""Typing and presence, which take no sequence and are not replayed."""

from tests.harness.people import People
from tests.harness.servers import Profile


async def test_ben_sees_that_ana_types_and_that_she_stopped(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.says("typing", conversation_id=conversation["id"], is_typing=True)
        typing = await ben.receives("typing", conversation=conversation, user=ana, is_typing=True)
        assert typing["expires_in"] == 3
        await ana.says("typing", conversation_id=conversation["id"], is_typing=False)
        await ben.receives("typing", conversation=conversation, user=ana, is_typing=False)


async def test_typing_is_accepted_right_after_a_conversation_is_created(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.posts("/conversations", {"type": "direct", "participant_ids": [ben.id]})
        await ana.says("typing", conversation_id=conversation["id"], is_typing=True)
        await ana.asks("ping")
        assert not ana.heard("error")


async def test_typing_takes_no_sequence_and_is_not_sent_to_the_typist(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.says("typing", conversation_id=conversation["id"], is_typing=True)
        typing = await ben.receives("typing", user=ana)
        assert "sequence" not in typing
        assert (await ana.sends("done", to=conversation))["sequence"] == 2
        await ana.hears_everything_from(ben, in_=conversation)
        ana.has_not_heard("typing")


async def test_typing_is_not_replayed_to_a_client_that_connects_later(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        phone = await ben.another_device("phone")
        await ben.disconnects()
        await ana.says("typing", conversation_id=conversation["id"], is_typing=True)
        await phone.receives("typing", user=ana)  # so ben's server process has published it
        await ben.connects()
        await ben.asks("sync", cursors={conversation["id"]: 1})
        await ben.hears_everything_from(ana, in_=conversation)
        ben.has_not_heard("typing")


async def test_typing_of_a_stranger_is_refused(people: People) -> None:
    async with people("ana", "ben", "eve") as (ana, ben, eve):
        conversation = await ana.talks_to(ben)
        await eve.hears_error_of("typing", conversation_id=conversation["id"], is_typing=True)
        await ben.hears_everything_from(ana, in_=conversation)
        ben.has_not_heard("typing")


async def test_ben_sees_ana_come_and_go(people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        await ben.connects()
        await ana.connects()
        await ben.receives("presence", user=ana, status="online")
        await ana.disconnects()
        gone = await ben.receives("presence", user=ana, status="offline")
        assert gone["last_seen"].endswith("Z")


async def test_a_client_that_connects_receives_who_is_online(people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        await ana.connects()
        await ben.connects()
        await ben.receives("presence", user=ana, status="online")
        profile = await ben.gets(f"/users/{ana.id}/profile")
        assert profile["presence"]["status"] == "online"


async def test_a_short_disconnect_does_not_show_as_offline(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        phone = await ana.another_device("phone")
        await ben.receives("presence", user=ana, status="online")
        await phone.vanishes()
        await phone.connects()
        await phone.hears_everything_from(ben, in_=conversation)
        await ben.hears_everything_from(phone, in_=conversation)
        ben.has_not_heard("presence", user=ana, status="offline")


async def test_a_person_stays_online_while_one_device_is_connected(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        await ana.talks_to(ben)
        await cleo.talks_to(ben)
        await ben.receives("presence", user=cleo, status="online")
        phone = await ana.another_device("phone")
        await phone.disconnects()
        await cleo.disconnects()  # after the phone: when cleo is offline, ana would be too
        await ben.receives("presence", user=cleo, status="offline")
        ben.has_not_heard("presence", user=ana, status="offline")


async def test_a_chosen_status_is_shown_until_it_is_changed(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        await ana.talks_to(ben)
        await ana.says("presence_update", status="busy", activity="In a meeting")
        busy = await ben.receives("presence", user=ana, status="busy")
        assert busy["activity"] == "In a meeting"
        await ana.puts("/users/status", {"status": "online"})
        await ben.receives("presence", user=ana, status="online")


async def test_an_invisible_person_looks_offline(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.says("presence_update", status="invisible")
        await ben.receives("presence", user=ana, status="offline")
        await ana.sends("but here", to=conversation)
        await ben.receives("new_message", content="but here")
        assert (await ben.gets(f"/users/{ana.id}/profile"))["presence"]["status"] == "offline"


async def test_an_invisible_person_sees_that_they_are_invisible(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        await ana.talks_to(ben)
        phone = await ana.another_device("phone", server=ben.server)
        await ana.says("presence_update", status="invisible")
        assert "last_seen" not in await phone.receives("presence", user=ana, status="invisible")
        await ben.receives("presence", user=ana, status="offline")
        ben.has_not_heard("presence", user=ana, status="invisible")
        assert (await ana.gets(f"/users/{ana.id}/profile"))["presence"]["status"] == "invisible"
        await ana.says("presence_update", status="online")
        await phone.receives("presence", user=ana, status="online")


async def test_nobody_sees_that_an_invisible_person_types(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.puts("/users/status", {"status": "invisible"})
        await ana.says("typing", conversation_id=conversation["id"], is_typing=True)
        await ana.says("typing", conversation_id=conversation["id"], is_typing=False)
        await ben.hears_everything_from(ana, in_=conversation)
        ben.has_not_heard("typing")
        await ana.puts("/users/status", {"status": "online"})
        await ana.says("typing", conversation_id=conversation["id"], is_typing=True)
        await ben.receives("typing", user=ana, is_typing=True)


async def test_a_client_that_reconnects_receives_its_own_presence(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        await ana.talks_to(ben)
        for status in ("busy", "invisible"):
            await ana.says("presence_update", status=status)
            await ana.receives("presence", user=ana, status=status)
            await ana.vanishes()
            await ana.connects()
            await ana.receives("presence", user=ana, status=status)


async def test_strangers_receive_no_presence(people: People) -> None:
    async with people("ana", "ben", "eve") as (ana, ben, eve):
        await ana.talks_to(ben)
        shared = await ben.talks_to(eve)
        phone = await ana.another_device("phone")
        await phone.says("presence_update", status="busy")
        await ben.receives("presence", user=ana, status="busy")
        await eve.hears_everything_from(ben, in_=shared)
        eve.has_not_heard("presence", user=ana)


async def test_an_inactive_person_turns_idle_and_then_away(starts_site, profile: Profile) -> None:
    site = starts_site(profile, limits={"idle_seconds": 1, "away_seconds": 6})
    async with People(site)("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ben.receives("presence", user=ana, status="idle")
        await ben.receives("presence", user=ana, status="away")
        await ana.sends("back", to=conversation)
        await ben.receives("presence", user=ana, status="online")
