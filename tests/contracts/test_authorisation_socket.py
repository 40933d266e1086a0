"""Rights over the socket: every registered command, for every actor.

The list of commands comes from the registry; a command without a row fails. Each cell is a frame on a real
socket of one of two server processes. Its outcome is the type of the answer, the code of the error, or the
frame that another member receives. An actor without a live session is closed before any command.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from realtime.registry import registry
from realtime.socket import consumer  # noqa: F401 - registers `auth` and `ping`
from tests.contracts.socket_world import World, everybody_connected
from tests.contracts.world import ACTORS, IN_GROUP, SIGNED_IN, SIGNED_OUT
from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.rest import Refused
from tests.harness.servers import Site

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(shared_sites: Callable[[str], Site]) -> AsyncIterator[World]:
    async with everybody_connected(shared_sites("production")) as world:
        yield world


# --- The matrix ---------------------------------------------------------------------------

Act = Callable[[World, Device], Awaitable[str]]


def for_signed_in(outcome: str) -> Mapping[str, str]:
    return dict.fromkeys(SIGNED_IN, outcome) | dict.fromkeys(SIGNED_OUT, "closed 4401")


def in_group(outcome: str, **others: str) -> Mapping[str, str]:
    """An outcome for members; `not_found` for every other signed-in actor."""
    return for_signed_in("not_found") | dict.fromkeys(IN_GROUP, outcome) | others


async def answered(device: Device, type: str, **fields: Any) -> str:
    """Send a command and return the type of the answer, or the code of the refusal."""
    try:
        return str((await device.asks(type, **fields))["type"])
    except Refused as refusal:
        return str(refusal.code)


async def observed(world: World, device: Device, type: str, command: Mapping[str, Any], **frame: Any) -> str:
    """Send a command that has no answer but a refusal; return its code, or the type of the frame at the bystander."""
    number = await device.says(command["type"], **{name: value for name, value in command.items() if name != "type"})
    refusal = asyncio.create_task(device.hears(lambda heard: heard.get("id") == number, "a refusal"))
    news = asyncio.create_task(world.bystander.receives(type, **frame))
    await asyncio.wait({refusal, news}, return_when=asyncio.FIRST_COMPLETED)
    for task in (refusal, news):
        if not task.done():
            task.cancel()
    return str(news.result()["type"] if news.done() and not news.cancelled() else refusal.result()["code"])


async def sends(world: World, device: Device) -> str:
    return await answered(
        device, "send_message", conversation_id=world.group, content="hi", client_message_id=str(uuid4())
    )


async def types(world: World, device: Device) -> str:
    command = {"type": "typing", "conversation_id": world.group, "is_typing": True}
    return await observed(world, device, "typing", command, user=device, is_typing=True)


async def syncs(world: World, device: Device) -> str:
    """Return "group" if the answer has the group, else "nothing"."""
    before = len(device.all_heard())
    complete = await device.asks("sync", cursors={world.group: 0}, since="2020-01-01T00:00:00Z")
    frames = device.all_heard()[before:]
    of_group = [frame for frame in frames if frame.get("conversation_id") == world.group]
    known = world.group in complete["heads"]
    assert bool(of_group) == known, of_group
    assert complete["resync"] == []
    assert known or len(complete["heads"]) == (device is world.devices["blocked"])
    return "group" if known else "nothing"


async def pings(world: World, device: Device) -> str:
    return f"{(await device.asks('ping'))['heads']['count']} conversations"


async def signs_in_again(world: World, device: Device) -> str:
    return await answered(device, "auth", token=world.devices["owner"].token)


async def shows_status(world: World, device: Device) -> str:
    """Return who receives the new status: always the actor ("oneself"), and "members" who share a conversation."""
    activity = f"busy {uuid4()}"
    await device.says("presence_update", status="busy", activity=activity)
    await device.receives("presence", user=device, activity=activity)
    if device.person.id not in {world.devices[name].id for name in IN_GROUP}:
        # A fence: the bystander's own status takes the same way and arrives later.
        fence = f"fence {uuid4()}"
        await world.bystander.says("presence_update", status="online", activity=fence)
        await world.bystander.receives("presence", activity=fence)
        world.bystander.has_not_heard("presence", activity=activity)
        return "oneself"
    await world.bystander.receives("presence", user=device, activity=activity)
    return "members"


def receipt(command: str, frame: str, who: str, *, by_message: bool) -> Act:
    """Return an act that sends a receipt; each actor gets a new message to acknowledge."""

    async def acts(world: World, device: Device) -> str:
        message = await world.bystander.posts_message("read this", to=world.group)
        position = {"conversation_id": world.group, "sequence": message["sequence"]}
        covered = {"message_id": message["id"]} if by_message else position
        return await observed(
            world, device, frame, {"type": command} | covered, **{who: device.id, "up_to_sequence": message["sequence"]}
        )

    return acts


MATRIX: list[tuple[str, Act, Mapping[str, str]]] = [
    ("auth", signs_in_again, for_signed_in("conflict")),
    ("send_message", sends, in_group("message_ack", read_only="forbidden")),
    (
        "delivery_receipt",
        receipt("delivery_receipt", "message_delivered", "user_id", by_message=True),
        in_group("message_delivered"),
    ),
    (
        "delivery_receipt",
        receipt("delivery_receipt", "message_delivered", "user_id", by_message=False),
        in_group("message_delivered"),
    ),
    ("read_receipt", receipt("read_receipt", "message_read", "reader_id", by_message=True), in_group("message_read")),
    ("read_receipt", receipt("read_receipt", "message_read", "reader_id", by_message=False), in_group("message_read")),
    ("typing", types, in_group("typing")),
    ("presence_update", shows_status, for_signed_in("oneself") | dict.fromkeys(IN_GROUP, "members")),
    ("sync", syncs, for_signed_in("nothing") | dict.fromkeys(IN_GROUP, "group")),
    ("ping", pings, for_signed_in("0 conversations") | dict.fromkeys((*IN_GROUP, "blocked"), "1 conversations")),
]


async def test_every_command_has_a_row() -> None:
    assert {command for command, _, _ in MATRIX} == set(registry.commands)


@pytest.mark.parametrize(("command", "act", "outcomes"), MATRIX, ids=[f"{row[0]}-{n}" for n, row in enumerate(MATRIX)])
async def test_each_actor_gets_the_outcome_of_its_cell(
    world: World, command: str, act: Act, outcomes: Mapping[str, str]
) -> None:
    found = {}
    for actor in SIGNED_IN:
        found[actor] = await act(world, world.devices[actor])
    for actor in SIGNED_OUT:
        found[actor] = await refused_at_sign_in(world.devices[actor], command)
    assert found == outcomes
    assert set(outcomes) == set(ACTORS)


async def refused_at_sign_in(device: Device, command: str) -> str:
    """Try to use a command without a live session; return the close code of the socket."""
    token = device.token or "a token that was never issued"
    if command == "auth":
        await device.opens_socket(auth=None)
        await device.says("auth", token=token)
    elif device.token:
        await device.opens_socket()
    else:
        await device.opens_socket(auth=None)
        await device.says(command, conversation_id=str(uuid4()))
    code = await device.is_closed()
    assert [frame["type"] for frame in device.all_heard()] == ["error"]
    assert device.all_heard()[0]["code"] == "unauthenticated"
    return f"closed {code}"


# --- Further rules over the socket ----------------------------------------------------


async def test_forged_receipts_are_refused(world: World) -> None:
    """A position beyond the head is refused, and a receipt cannot name another person."""
    member = world.devices["member"]
    conversation = await member.looks_at(world.group)
    beyond = await answered(
        member, "read_receipt", conversation_id=world.group, sequence=conversation["last_sequence"] + 1
    )
    assert beyond == "invalid"
    forged = await answered(member, "read_receipt", message_id=world.message, user_id=world.devices["owner"].id)
    assert forged == "invalid"


async def test_a_forged_sender_is_refused(world: World) -> None:
    member = world.devices["member"]
    forged = await answered(
        member,
        "send_message",
        conversation_id=world.group,
        content="not me",
        client_message_id=str(uuid4()),
        sender_user_id=world.devices["owner"].id,
    )
    assert forged == "invalid"


async def test_an_ex_member_receives_nothing_of_the_group(world: World) -> None:
    """A fence in another conversation shows that every earlier frame has arrived."""
    await hears_nothing_of_the_group(world, world.devices["ex_member"])


async def test_a_member_removed_while_connected_receives_nothing_more(world: World) -> None:
    owner = world.devices["owner"]
    guest = await People(owner.site).signs_up("guest", server=owner.site.servers[1])
    try:
        await guest.connects()
        await owner.posts(f"/conversations/{world.group}/participants", {"user_ids": [guest.id]})
        await guest.hears_everything_from(owner, in_=world.group)
        await owner.deletes(f"/conversations/{world.group}/participants/{guest.id}")
        await guest.receives("participant_removed", conversation_id=world.group, user_id=guest.id)
        await hears_nothing_of_the_group(world, guest)
        assert await types(world, guest) == "not_found"
        assert await pings(world, guest) == "1 conversations"  # the one with the owner
    finally:
        await guest.leaves()


async def hears_nothing_of_the_group(world: World, ex: Device) -> None:
    owner = world.devices["owner"]
    own = await owner.talks_to(ex)
    await ex.hears_everything_from(owner, in_=own)
    before = len(ex.all_heard())
    sent = await owner.sends("not for you", to=world.group)
    await owner.patches(f"/messages/{sent['message_id']}", {"content": "still not"})
    await owner.patches(f"/conversations/{world.group}", {"name": "Without you"})
    await owner.says("typing", conversation_id=world.group, is_typing=True)
    await owner.says("read_receipt", conversation_id=world.group, sequence=sent["sequence"])
    await owner.deletes(f"/messages/{sent['message_id']}", **{"for": "everyone"})
    await ex.hears_everything_from(owner, in_=own)
    assert [frame for frame in ex.all_heard()[before:] if frame.get("conversation_id") == world.group] == []


async def test_a_late_member_gets_hidden_events_for_earlier_messages(world: World) -> None:
    owner = world.devices["owner"]
    late = await People(owner.site).signs_up("late", server=owner.site.servers[1])
    await late.connects()
    try:
        old = await owner.sends("before you came", to=world.group)
        added = f"/conversations/{world.group}/participants"
        await owner.posts(added, {"user_ids": [late.id]})
        await late.receives("participant_added", conversation_id=world.group)
        await owner.patches(f"/messages/{old['message_id']}", {"content": "changed"})
        await owner.deletes(f"/messages/{old['message_id']}", **{"for": "everyone"})
        await late.hears_everything_from(owner, in_=world.group)
        hidden = late.heard("event_hidden")
        assert [set(frame) for frame in hidden] == [{"type", "conversation_id", "sequence"}] * 2
        assert old["message_id"] not in str(late.all_heard())
        refusal = await answered(late, "read_receipt", message_id=old["message_id"])
        assert refusal == "not_found"
        quoting = await answered(
            late,
            "send_message",
            conversation_id=world.group,
            content="see",
            client_message_id=str(uuid4()),
            reply_to_id=old["message_id"],
        )
        assert quoting == "invalid"
    finally:
        await late.leaves()
