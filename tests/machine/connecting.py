"""Devices connect, disconnect, and resume from their cursors."""

from tests.harness.replica import checksum
from tests.machine import views
from tests.machine.client import MachineDevice
from tests.machine.world import World


async def connects(world: World, device: MachineDevice) -> None:
    """Open a socket and let each client catch up in its own way."""
    connected = await device.connects()
    device.intact = True
    jobs = [world.job(device, "frame", frame=connected), world.job(device, "link", link="connected")]
    if device.began:
        for frame in await world.syncs(device, device.replica.cursors()):
            await device.replica.applies(frame)
    else:
        await device.replica.begins(connected)
        device.began = True
    await world.turns(jobs)
    await world.spreads()


async def disconnects(world: World, device: MachineDevice) -> None:
    """Cut the connection."""
    await world.comes_to_rest(device)
    await device.device.vanishes()
    await world.turns([world.job(device, "link", link="waiting")])


async def starts_from_disk(world: World, device: MachineDevice) -> None:
    """Let both clients start from their saved state and resume from its cursors."""
    if device.is_connected:
        await disconnects(world, device)
    device.replica.restores(device.kept)
    world.web.turn([world.job(device, "restore", user=world.user(device))])
    await connects(world, device)


async def checks_tail(world: World, device: MachineDevice) -> None:
    """Let both clients compare their heads with those in a pong, and catch up if they differ.

    Then no event is missing. Receipts, which have no sequence, are complete only if the clients did catch up.
    """
    await world.comes_to_rest(device)
    frames, pong = await device.hears(0)
    device.web_synced = False
    cursors = device.replica.cursors()
    heads = cursors["cursors"]
    behind = pong["heads"] != {"count": len(heads), "checksum": checksum(heads)}
    if behind:
        for frame in await world.syncs(device, cursors):
            await device.replica.applies(frame)
    await world.turns([world.job(device, "frame", frame=frame) for frame in (*frames, pong)])
    assert device.web_synced == behind, f"{device.key}: only one of the clients noticed missing events"
    device.intact |= behind
    wanted = views.heads(world.model, device.person)
    assert world.translator.heads(device.replica.cursors()["cursors"]) == wanted
    shown = world.web.turn([world.job(device, "show")])["replies"][device.key]["conversations"]
    assert world.translator.heads({each["id"]: each["last_sequence"] for each in shown}) == wanted
