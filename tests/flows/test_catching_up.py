"""A client that was away, or lost a frame, gets exactly the missing events."""

import asyncio
import zlib
from uuid import uuid4

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.replica import Replica
from tests.harness.rest import refused


async def test_sync_sends_missed_events_in_order_then_sync_complete(people: People) -> None:
    async with people("ana", "ben", "cleo") as (ana, ben, cleo):
        one, two = await ana.talks_to(ben), await cleo.talks_to(ben)
        await ben.disconnects()
        for number in range(3):
            await ana.sends(f"a{number}", to=one)
            await cleo.sends(f"c{number}", to=two)
        await ben.connects()
        complete = await ben.asks("sync", cursors={one["id"]: 2, two["id"]: 1})
        assert complete["heads"] == {one["id"]: 4, two["id"]: 4}
        heard = [frame for frame in ben.heard("new_message") if frame["conversation_id"] == one["id"]]
        assert [frame["sequence"] for frame in heard] == [3, 4]
        heard = [frame for frame in ben.heard("new_message") if frame["conversation_id"] == two["id"]]
        assert [frame["sequence"] for frame in heard] == [2, 3, 4]


async def test_a_client_that_missed_nothing_gets_nothing(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.sends("hi", to=conversation)
        await ben.disconnects()
        await ben.connects()
        await ben.asks("sync", cursors={conversation["id"]: 2})
        ben.has_not_heard("new_message")


async def test_a_conversation_unknown_to_the_client_is_in_the_heads(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        await ben.disconnects()
        conversation = await ana.talks_to(ben)
        await ana.sends("surprise", to=conversation)
        await ben.connects()
        complete = await ben.asks("sync", cursors={})
        assert complete["heads"] == {conversation["id"]: 2}
        ben.has_not_heard("new_message")


async def test_a_cursor_in_somebody_elses_conversation_returns_nothing(people: People) -> None:
    async with people("ana", "ben", "eve") as (ana, ben, eve):
        conversation = await ana.talks_to(ben)
        await ana.sends("secret", to=conversation)
        complete = await eve.asks("sync", cursors={conversation["id"]: 0, str(uuid4()): 5})
        assert complete["heads"] == {}
        eve.has_not_heard("new_message")
        answer = await eve.posts("/sync", {"cursors": {conversation["id"]: 0}})
        assert (answer["heads"], answer["events"]) == ({}, {})
        with refused("not_found", status=404):
            await eve.gets(f"/conversations/{conversation['id']}/events", after=0)


async def test_a_cursor_beyond_the_head_requires_a_resync(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.sends("hi", to=conversation)
        complete = await ben.asks("sync", cursors={conversation["id"]: 99})
        assert complete["resync"] == [conversation["id"]]
        assert complete["heads"] == {conversation["id"]: 2}
        with refused("resync_required", status=410):
            await ben.gets(f"/conversations/{conversation['id']}/events", after=99)


async def test_cursors_of_another_epoch_require_a_resync(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        one, two = await ana.talks_to(ben), await ana.gathers(ben)
        await ana.sends("hi", to=one)
        await ben.disconnects()
        mine = (await ben.connects())["epoch"]
        cursors = {one["id"]: 1, two["id"]: 1}
        await ben.says("sync", id="other", cursors=cursors, epoch=str(uuid4()))
        complete = await ben.receives("sync_complete", id="other")
        ben.has_not_heard("new_message")
        answer = await ben.posts("/sync", {"cursors": cursors, "epoch": str(uuid4())})
        assert answer["events"] == {}
        for body in (complete, answer):
            assert (body["epoch"], sorted(body["resync"])) == (mine, sorted(cursors))
        with refused("resync_required", status=410):
            await ben.gets(f"/conversations/{one['id']}/events", after=1, epoch=str(uuid4()))

        for known in ({"epoch": mine}, {}):
            complete = await ben.asks("sync", cursors=cursors, **known)
            assert (complete["epoch"], complete["resync"]) == (mine, [])
            await ben.receives("new_message", content="hi")
            answer = await ben.posts("/sync", {"cursors": cursors} | known)
            assert (answer["epoch"], answer["resync"], len(answer["events"][one["id"]])) == (mine, [], 1)
            page = await ben.gets(f"/conversations/{one['id']}/events", after=1, **known)
            assert len(page["events"]) == 1


async def test_more_than_a_thousand_missed_events_require_a_resync(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        long, short = await ana.talks_to(ben), await ana.gathers(ben)
        await ben.disconnects()
        await sends_many(ana, long, 1_000)
        head = (await ana.looks_at(short))["last_sequence"]
        await ana.sends("short", to=short)

        await ben.connects()
        complete = await ben.asks("sync", cursors={long["id"]: 1, short["id"]: head})
        assert complete["resync"] == []
        assert len(ben.heard("new_message", conversation=long)) == 1_000
        assert len(ben.heard("new_message", conversation=short)) == 1

        await ben.disconnects()
        await ana.sends("one more", to=long)
        await ben.connects()
        complete = await ben.asks("sync", cursors={long["id"]: 1, short["id"]: head})
        assert complete["resync"] == [long["id"]]
        assert complete["heads"][long["id"]] == 1_002
        ben.has_not_heard("new_message", conversation=long)
        assert len(ben.heard("new_message", conversation=short)) == 1


async def sends_many(device: Device, conversation, number: int) -> None:
    """Send messages a hundred at a time: the server closes a connection to which it has too many answers."""
    for first in range(0, number, 100):
        portion = range(first, min(first + 100, number))
        for each in portion:
            await device.says(
                "send_message", conversation_id=conversation["id"], content=f"m{each}", client_message_id=str(uuid4())
            )
        for _ in portion:
            await device.receives("message_ack")


async def test_the_numbered_log_can_be_read_page_by_page(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        for number in range(7):
            await ana.sends(f"m{number}", to=conversation)
        seen, after = [], 0
        while True:
            page = await ben.gets(f"/conversations/{conversation['id']}/events", after=after, limit=3)
            seen += page["events"]
            assert page["last_sequence"] == 8
            if not page["has_more"]:
                break
            after = page["events"][-1]["sequence"]
        assert [event["sequence"] for event in seen] == list(range(1, 9))
        assert [event["type"] for event in seen] == ["conversation_created"] + ["new_message"] * 7


async def test_an_event_of_the_log_is_the_frame_that_went_out_live(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.gathers(ben, name="Log")
        ack = await ana.sends("first", to=conversation)
        await ana.patches(f"/messages/{ack['message_id']}", {"content": "edited"})
        await ana.patches(f"/conversations/{conversation['id']}", {"name": "Renamed"})
        await ben.hears_everything_from(ana, in_=conversation)
        live = {frame["sequence"]: frame for frame in ben.all_heard() if "sequence" in frame}
        page = await ben.gets(f"/conversations/{conversation['id']}/events", after=0)
        logged = {event["sequence"]: event for event in page["events"]}
        assert sorted(live) == sorted(logged) == list(range(1, len(logged) + 1))
        for sequence, frame in live.items():
            assert frame["type"] == logged[sequence]["type"]
            assert frame.keys() == logged[sequence].keys()
        edit = next(event for event in page["events"] if event["type"] == "message_updated")
        assert edit == live[edit["sequence"]]


async def test_events_during_a_sync_keep_their_order(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ben.disconnects()
        await sends_many(ana, conversation, 200)
        await ben.connects()
        talking = asyncio.create_task(sends_many(ana, conversation, 200))
        await ben.says("sync", cursors={conversation["id"]: 1})
        await talking
        await ben.receives("new_message", sequence=401)
        heard = [frame["sequence"] for frame in ben.heard("new_message")]
        fresh = [number for position, number in enumerate(heard) if number not in heard[:position]]
        assert fresh == list(range(2, 402))


async def test_a_sync_of_one_conversation_loses_no_event_of_another(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        one, two = await ana.talks_to(ben), await ana.gathers(ben)
        done = asyncio.Event()
        talking = asyncio.create_task(sends_until(done, ana, one))
        for _ in range(50):
            await ben.asks("sync", cursors={two["id"]: 1})
        done.set()
        last = await talking
        await ben.receives("new_message", conversation=one, sequence=last)
        assert [frame["sequence"] for frame in ben.heard("new_message", conversation=one)] == list(range(2, last + 1))


async def sends_until(done: asyncio.Event, device: Device, conversation) -> int:
    """Send one message after the other; return the sequence of the last."""
    while True:
        ack = await device.sends("on and on", to=conversation)
        if done.is_set():
            return ack["sequence"]


async def test_the_digest_in_pong_shows_a_lost_last_event(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        one, two = await ana.talks_to(ben), await ana.gathers(ben)
        await ana.sends("hi", to=one)
        bodies = await ben.lists_conversations()
        own = sum(zlib.crc32(f"{each['id']}:{each['last_sequence']}".encode()) for each in bodies) % 2**32
        await ben.hears_everything_from(ana, in_=two)
        await ana.hears_everything_from(ben, in_=two)
        pong = await ben.asks("ping", timestamp=12345.5)
        assert pong["timestamp"] == 12345.5
        assert pong["heads"]["count"] == 2
        assert pong["heads"]["checksum"] != own
        bodies = await ben.lists_conversations()
        own = sum(zlib.crc32(f"{each['id']}:{each['last_sequence']}".encode()) for each in bodies) % 2**32
        assert pong["heads"]["checksum"] == own


async def test_the_next_ping_recovers_a_lost_last_message(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        lost = []

        def loses(frame) -> bool:
            if frame["type"] == "new_message" and not lost:
                lost.append(frame)
                return True
            return False

        async with Replica(ben, loses=loses) as replica:
            await ana.sends("gone with the wind", to=conversation)
            await ben.receives("new_message", content="gone with the wind")
            assert await replica.checks_tail()
            assert replica.tail_losses == 1
            await replica.agrees()
            assert not await replica.checks_tail()


async def test_a_gap_is_noticed_at_the_next_message(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        async with Replica(ben, loses=lambda frame: frame.get("sequence") == 3) as replica:
            for text in ("two", "three", "four"):
                await ana.sends(text, to=conversation)
            await ben.receives("new_message", content="four")
            await ben.asks("ping")
            assert not await replica.checks_tail()
            assert replica.gaps == 1
            await replica.agrees()


async def test_sync_includes_receipts_of_the_time_away(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        async with Replica(ana) as replica:
            ack = await ana.sends("hi", to=conversation)
            await ana.receives("new_message", content="hi")
            assert not await replica.checks_tail()
            await ana.vanishes()
            await ben.posts(f"/messages/{ack['message_id']}/read")
            await replica.reconnects()
            assert replica.state()[conversation["id"]]["messages"][-1]["status"] == "read"
            await replica.agrees()
