"""One person with several devices: they stay in sync, are separate sessions, and end one by one."""

import time

from tests.harness.people import People
from tests.harness.rest import refused


async def test_own_other_devices_receive_a_sent_message(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        phone = await ana.another_device("phone", server=ben.server)
        ack = await ana.sends("from the laptop", to=conversation)
        frame = await phone.receives("new_message", content="from the laptop", sender=ana)
        assert frame["sequence"] == ack["sequence"]
        await phone.hears_everything_from(ben, in_=conversation)
        phone.has_not_heard("message_ack")


async def test_every_device_of_the_recipient_receives_a_message(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        devices = [ben, await ben.another_device("phone"), await ben.another_device("tablet", server=ana.server)]
        await ana.sends("to all of you", to=conversation)
        for device in devices:
            await device.receives("new_message", content="to all of you")


async def test_reading_on_one_device_clears_the_badge_on_the_others(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        phone = await ben.another_device("phone", server=ana.server)
        for text in ("one", "two", "three"):
            ack = await ana.sends(text, to=conversation)
        await ben.says("read_receipt", conversation_id=conversation["id"], sequence=ack["sequence"] - 1)
        read = await phone.receives("conversation_read", conversation=conversation)
        assert read["up_to_sequence"] == ack["sequence"] - 1
        assert read["unread_count"] == 1
        assert (await phone.looks_at(conversation))["unread_count"] == 1


async def test_own_settings_reach_all_own_devices_and_nobody_else(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        phone = await ana.another_device("phone", server=ben.server)
        tablet = await ana.another_device("tablet")
        cursor = (await tablet.looks_at(conversation))["last_sequence"]
        await tablet.vanishes()
        path = f"/conversations/{conversation['id']}/me"
        until = "2100-01-01T00:00:00Z"
        assert (await ana.patches(path, {"muted_until": until, "pinned": True}))["muted_until"] == until
        for device in (ana, phone):
            me = (await device.receives("my_place_updated", conversation=conversation))["me"]
            assert (me["muted_until"], me["pinned"]) == (until, True)
        hidden = await ben.receives("event_hidden", conversation=conversation)
        assert set(hidden) == {"type", "conversation_id", "sequence"}
        await ben.hears_everything_from(ana, in_=conversation)
        ben.has_not_heard("my_place_updated")
        await tablet.connects()
        await tablet.says("sync", cursors={conversation["id"]: cursor})
        me = (await tablet.receives("my_place_updated", conversation=conversation))["me"]
        assert (me["muted_until"], me["pinned"]) == (until, True)
        for settings, field in (
            ({"muted_until": "tomorrow"}, "muted_until"),
            ({"muted_until": "2100-01-01T00:00:00"}, "muted_until"),
            ({"pinned": None}, "pinned"),
            ({"notification_level": "loud"}, "notification_level"),
            ({"role": "owner"}, "role"),
        ):
            status, answer = await ana.request("PATCH", path, settings)
            assert (status, answer["code"], list(answer["fields"])) == (400, "invalid", [field])


async def test_the_newest_connection_of_a_device_wins(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        again = ana.twin(server=ben.server)
        await again.connects()
        await ana.is_closed(4409)
        conversation = await again.talks_to(ben)
        await ben.sends("hi", to=conversation)
        await again.receives("new_message", content="hi")


async def test_a_second_device_does_not_replace_the_first(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.another_device("phone")
        await ana.hears_everything_from(ben, in_=conversation)
        assert ana.is_connected


async def test_a_session_ended_elsewhere_closes_its_socket_within_a_second(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        phone = await ana.another_device("phone", server=ben.server)
        sessions = (await ana.gets("/auth/sessions"))["results"]
        [current] = [each for each in sessions if each["current"]]
        [other] = [each for each in sessions if not each["current"]]
        assert (current["device_id"], other["device_id"]) == ("laptop", "phone")

        begun = time.monotonic()
        await ana.deletes(f"/auth/sessions/{other['id']}")
        await phone.is_closed(4403, within=1)
        assert time.monotonic() - begun < 1
        with refused("unauthenticated", status=401):
            await phone.gets("/users/me")
        assert ana.is_connected
        assert [each["id"] for each in (await ana.gets("/auth/sessions"))["results"]] == [current["id"]]


async def test_logging_out_closes_the_socket_and_ends_the_token(people: People) -> None:
    async with people("ana") as (ana,):
        await ana.posts("/auth/logout")
        await ana.is_closed(4403, within=1)
        with refused("unauthenticated", status=401):
            await ana.gets("/users/me")
        await ana.opens_socket()
        await ana.is_closed(4401)
        ana.takes_all()


async def test_ending_somebody_elses_session_is_refused(people: People) -> None:
    async with people("ana", "eve") as (ana, eve):
        [session] = (await ana.gets("/auth/sessions"))["results"]
        with refused("not_found", status=404):
            await eve.deletes(f"/auth/sessions/{session['id']}")
        await ana.asks("ping")


async def test_a_device_header_cannot_choose_another_device_after_sign_in(people: People) -> None:
    async with people("ana") as (ana,):
        phone = await ana.another_device("phone", connected=False)
        await phone.opens_socket(headers={"X-Device-ID": "laptop"})
        await phone.receives("connected")
        await phone.asks("ping")
        await ana.asks("ping")
        assert ana.is_connected
