"""Reads over REST, each compared with the model: what a person sees, and what is refused."""

from typing import Any

from tests.harness.socket_side import Frame
from tests.machine import actions, views
from tests.machine.client import MachineDevice
from tests.machine.rights import Refusal
from tests.machine.world import World, assert_same


async def at_everything(world: World, device: MachineDevice) -> None:
    """Look at the list and at every conversation as a whole, also at those of others."""
    await at_the_list(world, device)
    cursors = {label: views.first_cursor(talk, device.person) for label, talk in world.model.conversations.items()}
    for label, cursor in cursors.items():
        await at_history(world, device, label, limit=200)
        await at_events(world, device, label, after=cursor, limit=1000)
    await at_a_catch_up(world, device, cursors, since=None)


async def at_the_list(world: World, device: MachineDevice, *, unread: bool = False, limit: int = 200) -> None:
    """Look at the list of conversations, page by page."""
    wanted = [world.model.conversations[label] for label in views.listed(world.model, device.person, unread=unread)]
    query = {"limit": limit, "unread": "true" if unread else None}
    found = [each async for each in device.device.pages("/conversations", **query)]
    for body in found:
        times = [each["joined_at"] for each in body["participants"]]
        assert times == sorted(times), body
    assert_same(
        [world.translator.conversation(body) for body in found],
        [views.body(talk, device.person) for talk in wanted],
        f"{device.person}'s list",
    )


async def at_history(world: World, device: MachineDevice, label: str, **query: Any) -> None:
    """Look at a page of a history."""
    path = f"/conversations/{world.translator.id_of_conversation(label)}/messages"
    looked = await actions.asks(
        world, device, lambda: views.page(world.model, device.person, label, **query), "GET", path, **query
    )
    if looked:
        (messages, more), answer, _ = looked
        assert_same(
            [world.translator.message(each) for each in answer["results"]], messages, f"history of {label} {query}"
        )
        assert answer["has_more"] == more, query


async def at_events(world: World, device: MachineDevice, label: str, *, after: int, limit: int) -> None:
    """Look at the log above a cursor, page by page: it must be the log with the rights of the viewer, without gaps."""
    path = f"/conversations/{world.translator.id_of_conversation(label)}/events"
    received: list[Frame] = []
    while True:
        cursor = after + len(received)
        looked = await actions.asks(
            world,
            device,
            lambda at=cursor: views.events(world.model, device.person, label, at),
            "GET",
            path,
            after=cursor,
            limit=limit,
        )
        if looked is None:
            return
        wanted, answer, _ = looked
        assert_same([world.translator.frame(each) for each in answer["events"]], wanted[:limit], f"events of {label}")
        assert answer["last_sequence"] == world.model.conversations[label].head
        assert answer["has_more"] == (len(wanted) > limit)
        received += answer["events"]
        if not answer["has_more"]:
            return


async def at_a_message(world: World, device: MachineDevice, label: str, sequence: int, id: str) -> None:
    """Look at a message and its receipts."""

    def seen() -> Any:
        events = views.page(world.model, device.person, label, limit=10**6)[0]
        found = [each for each in events if each["sequence"] == sequence]
        if not found:
            raise Refusal("not_found")
        return found[0]

    looked = await actions.asks(world, device, seen, "GET", f"/messages/{id}")
    if looked:
        assert_same(world.translator.message(looked[1]), looked[0], "a message")
    looked = await actions.asks(
        world,
        device,
        lambda: views.receipts(world.model, device.person, label, sequence),
        "GET",
        f"/messages/{id}/receipts",
    )
    if looked:
        assert_same(world.translator.receipts(looked[1]), looked[0], "receipts")


async def at_a_catch_up(world: World, device: MachineDevice, cursors: dict[str, int], since: str | None) -> None:
    """Look at the events missed since these cursors, over REST."""
    body: dict[str, Any] = {
        "cursors": {world.translator.id_of_conversation(label): cursor for label, cursor in cursors.items()}
    }
    looked = await actions.asks(
        world, device, lambda: None, "POST", "/sync", body | ({"since": since} if since else {})
    )
    if looked:
        answer = looked[1]
        assert answer["complete"] is True
        received = [frame for events in answer["events"].values() for frame in events] + answer["receipts"]
        world.agrees_on_catch_up(device.person, cursors, [world.translator.frame(frame) for frame in received], answer)
