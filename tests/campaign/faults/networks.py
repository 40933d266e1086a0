"""The network between clients and servers: connections cut one by one, and a silent network."""

from __future__ import annotations

import asyncio
from time import monotonic

from tests.campaign.device import Device
from tests.campaign.history import Closed
from tests.campaign.stage import Stage


def cut_connection(stage: Stage) -> Device | None:
    """Reset the connection of one device on both sides; return whose it was."""
    device = stage.dice.choice(stage.active())
    ports = {id(way): way for way in device.line.ways}
    wire = device.line.wire
    if wire is None or not wire.is_open or wire.transport is None:
        stage.book.missed("connection reset")
        return None
    # One port may be the source of several connections, to different proxies.
    mine = wire.transport.get_extra_info("sockname"), wire.transport.get_extra_info("peername")[1]
    for way in ports.values():
        for link in way.links:
            if (link.client.peer, way.port) == mine:
                device.caught_up.clear()
                link.cut()
                stage.book.struck("connection reset")
                return device
    stage.book.missed("connection reset")
    return None


async def silent_partition(stage: Stage) -> None:
    """Let one network fall silent, longer than clients and servers take to notice; then heal it."""
    actions = stage.episode.actions
    actions.may_revoke = False
    await asyncio.sleep(1.5)  # until the last revocation has taken effect
    number = stage.dice.randrange(len(stage.world.networks))
    ways = stage.world.networks[number]
    here = [device for device in stage.active() if device.line.ways is ways]
    connected = [device for device in here if device.caught_up.is_set()]
    heartbeat = connected[0].line.heartbeat if connected else 30.0
    begun = monotonic()
    for way in ways:
        way.silence()
    try:
        await asyncio.sleep(2 * heartbeat + stage.dice.uniform(2, 6))
    finally:
        for way in ways:
            way.cut_unreached()
            way.heal()
    healed = monotonic()
    noticed = []
    for device in connected:
        closes = [entry.at for entry in device.history.entries[-200:] if isinstance(entry, Closed) and entry.at > begun]
        noticed.append((closes[0] if closes else healed) - begun)
    # A client cut again before it was back waits longer, as it should; such clients are not measured.
    with stage.no_small_faults():
        for device in here:
            device.line.network_is_back()
        recoveries = await stage.recoveries(here, healed)
    if any(seconds < healed - begun for seconds in noticed):
        stage.book.struck("silent partition")
        stage.book.details["connections that a partition ended"] += len(noticed)
    else:
        stage.book.missed("silent partition")
    stage.measures.add("silent partition: noticed", noticed, most=2 * heartbeat)
    stage.measures.add("silent partition: caught up after it healed", recoveries, most=5.0)
    actions.may_revoke = True
