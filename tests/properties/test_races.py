"""Races: a message sent many times is stored once, and the sequences of a conversation have no gap."""

import asyncio
import random
from collections import Counter
from typing import Any
from uuid import uuid4

from websockets.exceptions import WebSocketException

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.product import manage
from tests.harness.proxy import Proxy
from tests.harness.replica import Replica
from tests.harness.rest import Refused, refused
from tests.harness.servers import Site


async def test_twenty_resends_over_both_transports_are_one_message(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        servers = ana.site.servers
        devices = [ana] + [
            await ana.another_device(f"device {number}", server=servers[number % len(servers)])
            for number in range(1, 20)
        ]
        for round in range(5):
            mine, start = str(uuid4()), asyncio.Event()
            text = f"once {round}"

            async def sends_it(number: int) -> tuple[str, int, bool]:
                await start.wait()  # noqa: B023 - awaited within the round
                device = devices[number]
                if number % 2:
                    body = {"conversation_id": conversation["id"], "content": text, "client_message_id": mine}  # noqa: B023
                    status, message = await device.request("POST", "/messages", body)
                    assert status in (200, 201), message
                    return message["id"], message["sequence"], status == 200
                ack = await device.sends(text, to=conversation, client_message_id=mine)  # noqa: B023
                return ack["message_id"], ack["sequence"], ack.get("duplicate", False)

            tasks = [asyncio.create_task(sends_it(number)) for number in range(20)]
            start.set()
            outcomes = await asyncio.gather(*tasks)
            assert len({(id, sequence) for id, sequence, _ in outcomes}) == 1
            assert Counter(duplicate for *_, duplicate in outcomes) == {False: 1, True: 19}
        await ben.hears_everything_from(ana, in_=conversation)
        assert [frame["message"]["content"] for frame in ben.heard("new_message")][:-1] == [
            f"once {round}" for round in range(5)
        ]
        assert [frame["sequence"] for frame in ben.heard("new_message")] == [2, 3, 4, 5, 6, 7]


async def test_a_racing_resend_with_different_content_is_a_conflict(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        phone = await ana.another_device("phone", server=ben.server)
        for _ in range(10):
            mine = str(uuid4())
            outcomes = await asyncio.gather(
                ana.sends("this", to=conversation, client_message_id=mine),
                phone.sends("that", to=conversation, client_message_id=mine),
                return_exceptions=True,
            )
            [lost] = [each for each in outcomes if isinstance(each, Refused)]
            assert lost.code == "idempotency_conflict"
        assert len(await ben.history(conversation)) == 10


async def test_a_direct_conversation_opened_in_parallel_exists_once(people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        opened = await asyncio.gather(
            *(
                one.posts("/conversations", {"type": "direct", "participant_ids": [other.id]})
                for one, other in [(ana, ben), (ben, ana)] * 5
            )
        )
        assert len({each["id"] for each in opened}) == 1
        assert len(await ana.lists_conversations()) == 1


async def test_a_sender_removed_meanwhile_has_no_later_message(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        group = await ana.gathers(ben)
        path = f"/conversations/{group['id']}/participants/{ben.id}"

        async def talks() -> None:
            with refused("not_found"):
                while True:
                    await ben.sends("still here", to=group)

        talking = asyncio.create_task(talks())
        await ana.receives("new_message", content="still here")
        await ana.deletes(path)
        await talking
        log = await ana.gets(f"/conversations/{group['id']}/events", after=0, limit=1000)
        events = log["events"]
        [removed] = [event["sequence"] for event in events if event["type"] == "participant_removed"]
        assert [event["sequence"] for event in events] == list(range(1, len(events) + 1))
        by_ben = [event for event in events if event.get("message", {}).get("sender_user_id") == ben.id]
        assert by_ben
        assert all(event["sequence"] < removed for event in by_ben)


SENDERS = 50
EACH_SENDS = 16


async def test_fifty_senders_leave_no_gap_while_their_connections_are_cut(site: Site) -> None:
    names = [f"p{number}" for number in range(SENDERS)]
    async with People(site)(*names, connected=False) as senders:
        group = await senders[0].gathers(*senders[1:])
        watcher = await senders[0].another_device("watcher", connected=False)
        tunnels = [Proxy(server.port) for server in site.servers]
        for tunnel in tunnels:
            await tunnel.__aenter__()
        try:
            async with Replica(watcher) as watching:
                talking = [
                    asyncio.create_task(keeps_sending(sender, group, tunnels[number % len(tunnels)]))
                    for number, sender in enumerate(senders)
                ]
                cuts = await cuts_until_done(tunnels, talking)
                sent = [each for task in talking for each in task.result()]
                assert cuts >= 5, "too few connections were cut"
                assert len(sent) == SENDERS * EACH_SENDS
                await watching.agrees()
                assert watching.gaps == 0, "a live frame was missing"
        finally:
            for tunnel in tunnels:
                await tunnel.__aexit__()

        stored = [message for message in await watcher.history(group, limit=200) if message["sender_user_id"]]
        assert {(each["client_message_id"], each["id"], each["sequence"]) for each in stored} == set(sent)
        assert len(stored) == len(sent)
        for sender in senders:  # the messages of one sender keep their order
            mine = [each["content"] for each in stored if each["sender_user_id"] == sender.id]
            assert mine == [f"m{number}" for number in range(EACH_SENDS)]
        sequences: list[int] = []
        while True:
            page = await watcher.gets(
                f"/conversations/{group['id']}/events", after=sequences[-1] if sequences else 0, limit=200
            )
            sequences += [event["sequence"] for event in page["events"]]
            if not page["has_more"]:
                break
        assert sequences == list(range(1, page["last_sequence"] + 1))
        await asyncio.to_thread(manage, ["check_integrity"], site.environment)


async def keeps_sending(sender: Device, group: dict[str, Any], tunnel: Proxy) -> list[tuple[str, str, int]]:
    """Send messages one after the other, each until it is acknowledged; return the ids and sequences of the acks."""
    sent = []
    for number in range(EACH_SENDS):
        mine = str(uuid4())
        while True:
            try:
                if not sender.is_connected:
                    await sender.connects(via=tunnel)
                ack = await sender.sends(f"m{number}", to=group, client_message_id=mine)
                break
            except Refused as refusal:
                assert refusal.code in ("try_again", "rate_limited"), refusal
            except (OSError, WebSocketException, AssertionError):
                assert not sender.is_connected, "an open connection did not answer"
        sent.append((mine, ack["message_id"], ack["sequence"]))
    return sent


async def cuts_until_done(tunnels: list[Proxy], talking: list[asyncio.Task[Any]]) -> int:
    """Cut all connections of a random tunnel repeatedly until the senders are done; return the number of cuts."""
    dice, cuts = random.Random(7), 0
    while any(not task.done() for task in talking):
        await asyncio.wait(talking, timeout=dice.uniform(0.05, 0.3))
        if cuts < 12:
            dice.choice(tunnels).cut()
            cuts += 1
    return cuts
