"""28: each answer reaches its caller while other clients hang up in the middle of theirs."""

import asyncio
import json
import random
from contextlib import suppress

from websockets.exceptions import ConnectionClosed

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.rest import Refused

ROUNDS = 40


async def asks_who_i_am(device: Device) -> None:
    """Send requests repeatedly over one keep-alive connection."""
    for number in range(ROUNDS):
        me = await device.gets("/users/me")
        assert me["id"] == device.id
        changed = await device.patches("/users/me", {"about": f"{device.id} {number}"})
        assert (changed["id"], changed["about"]) == (device.id, f"{device.id} {number}")


async def hangs_up_in_the_middle(device: Device, luck: random.Random) -> None:
    """Send requests and abort the connection at a random moment of the answer."""
    for _ in range(ROUNDS * 2):
        reader, writer = await asyncio.open_connection("127.0.0.1", device.server.port)
        body = json.dumps({"about": "of a client that left"}).encode()
        for method, content in (("GET", b""), ("PATCH", body)):
            head = (
                f"{method} /api/v1/users/me HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {device.token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
            )
            writer.write(head.encode() + content)
        await asyncio.sleep(luck.choice([0, 0.001, 0.003, 0.01, 0.03]))
        writer.transport.abort()
        del reader


async def test_rest_answers_reach_their_caller_while_others_hang_up(people: People) -> None:
    async with people("ana", "ben", "cleo", "dan", "eve", connected=False) as (*staying, leaving):
        luck = random.Random(28)
        await asyncio.gather(
            *(asks_who_i_am(device) for device in staying), *(hangs_up_in_the_middle(leaving, luck) for _ in range(4))
        )
        assert (await leaving.gets("/users/me"))["id"] == leaving.id


async def test_socket_answers_reach_their_caller_while_others_vanish(people: People) -> None:
    """Each answer has the id of its own command, each refusal its own client_message_id."""

    async def converses(device: Device, conversation: str) -> None:
        for number in range(ROUNDS):
            mine = f"{device.person.name} {number}"
            ack = await device.sends(mine, to=conversation)
            assert (await device.gets(f"/messages/{ack['message_id']}"))["content"] == mine
            heads = (await device.asks("ping"))["heads"]
            assert heads["count"] == 1
            if number % 5 == 0:
                with suppress(Refused):
                    await device.sends("nowhere", to="01890000-0000-7000-8000-000000000000")
                    raise AssertionError("a conversation that does not exist accepted a message")

    async def comes_and_vanishes(device: Device, conversation: str, luck: random.Random) -> None:
        for _ in range(ROUNDS // 2):
            await device.connects()
            refused: dict[str, str] = {}
            with suppress(ConnectionClosed):
                for wrong in (f"no uuid {number}" for number in range(5)):
                    await device.says("sync", cursors={conversation: 1})
                    command = {"conversation_id": conversation, "content": "", "client_message_id": wrong}
                    refused[await device.says("send_message", **command)] = wrong
            await asyncio.sleep(luck.choice([0, 0.002, 0.01]))
            await device.vanishes()
            # Every refusal that arrived before the end was hers.
            assert all(refused[error["id"]] == error["client_message_id"] for error in device.heard("error"))
            device.takes_all()

    async with people("ana", "ben", "cleo", "eve") as (ana, ben, cleo, eve):
        talk = (await ana.talks_to(ben))["id"]
        others = (await cleo.talks_to(eve))["id"]
        luck = random.Random(82)
        await asyncio.gather(
            converses(ana, talk), converses(ben, talk), converses(cleo, others), comes_and_vanishes(eve, others, luck)
        )
        mine = {each["content"] for each in await ana.history(talk)}
        assert mine == {f"{name} {number}" for name in ("ana", "ben") for number in range(ROUNDS)}
        for device in (ana, ben, cleo):
            assert all(f.get("conversation_id") in (talk, others, None) for f in device.all_heard())
            strange = others if device is not cleo else talk
            assert not [frame for frame in device.all_heard() if frame.get("conversation_id") == strange]
