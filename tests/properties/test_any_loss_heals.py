"""Frames are lost at random, connections are cut, processes are killed: afterwards every client is up to date.

Rule 3 of the protocol recovers events before a gap, the digest in `pong` a lost last event, and `sync` everything
else. Then a client has exactly what a fresh fetch returns.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import WebSocketException

from tests.harness.proxy import Proxy
from tests.harness.replica import Replica
from tests.harness.servers import PROFILES, Profile, Site
from tests.harness.snapshots import fresh_snapshot
from tests.harness.socket_side import Frame
from tests.properties.commands import Command, Stage, drawn, staged
from tests.properties.playing import DRAWN, plays_once

SharedSites = Callable[[Profile], Site]


@dataclass
class Losses:
    """The losses in all plays of a test. Without losses a test would prove nothing."""

    frames: int = 0
    cuts: int = 0
    gaps: int = 0
    tails: int = 0
    done: int = 0


async def any_loss_heals(site: Site, commands: Sequence[Command], rate: float, seed: int, losses: Losses) -> None:
    """Run the commands while replicas lose frames at this rate and have their connections cut at random."""
    dice = random.Random(seed)
    bad_times = True

    def loses(_: Frame) -> bool:
        return bad_times and dice.random() < rate

    async with staged(site) as stage, AsyncExitStack() as stack:
        tunnels = [await stack.enter_async_context(Proxy(person.server.port)) for person in stage.people]
        replicas = [await stack.enter_async_context(Replica(person, loses=loses)) for person in stage.people]
        for replica, tunnel in zip(replicas, tunnels, strict=True):
            await replica.reconnects(via=tunnel)

        for each in commands:
            await each.runs_on(stage)
            match dice.randrange(8):
                case 0:
                    tunnels[dice.randrange(4)].cut()
                    losses.cuts += 1
                case 1:
                    await comes_back(replicas, tunnels, dice.randrange(4))
                case 2 if (replica := replicas[dice.randrange(4)]).device.is_connected:
                    await checks_tail(replica)

        bad_times = False
        for number, replica in enumerate(replicas):
            await settles(replica, tunnels[number])
            await replica.checks_tail()
            await durable_state_agrees(replica)
            await replica.catches_up()
            await replica.agrees()
            losses.frames += replica.lost
            losses.gaps += replica.gaps
            losses.tails += replica.tail_losses
        losses.done += stage.done


async def comes_back(replicas: list[Replica], tunnels: list[Proxy], number: int) -> None:
    if not replicas[number].device.is_connected:
        await replicas[number].reconnects(via=tunnels[number])


async def settles(replica: Replica, tunnel: Proxy) -> None:
    """Wait until all frames so far are applied; reconnect if the connection turns out to be cut."""
    try:
        await replica.settles()
    except (ConnectionError, WebSocketException, AssertionError):
        assert not replica.device.is_connected, "an open connection did not answer"
        await replica.reconnects(via=tunnel)


async def checks_tail(replica: Replica) -> None:
    try:
        await replica.checks_tail()
    except (ConnectionError, WebSocketException, AssertionError):
        assert not replica.device.is_connected, "an open connection did not answer"


async def durable_state_agrees(replica: Replica) -> None:
    """Assert that no event is missing after the digest in `pong`. Receipts have no sequence; `sync` brings them."""
    fresh = await fresh_snapshot(replica.device)
    mine = replica.state()
    assert mine.keys() == fresh.keys()
    for id, theirs in fresh.items():
        assert mine[id]["last_sequence"] == theirs["last_sequence"]
        assert texts(mine[id]) == texts(theirs)
        assert mine[id]["participants"].keys() == theirs["participants"].keys()


def texts(conversation: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(each["id"], each["content"], each["deleted_at"]) for each in conversation["messages"]]


@pytest.mark.parametrize("profile", PROFILES)
def test_replicas_recover_from_lost_frames_and_cut_connections(shared_sites: SharedSites, profile: Profile) -> None:
    site, losses = shared_sites(profile), Losses()

    @settings(DRAWN, max_examples=8)
    @given(drawn(most=36), st.sampled_from((0.1, 0.3, 0.6, 1.0)), st.integers(0, 2**32))
    def plays(commands: list[Command], rate: float, seed: int) -> None:
        play(site, commands, rate, seed)

    play = plays_once(lambda *given: any_loss_heals(*given, losses))
    with site.clean_logs():
        plays()
    assert losses.done > 50, losses
    assert losses.frames > 50, losses
    assert losses.cuts, losses
    assert losses.gaps, losses
    assert losses.tails, losses


async def test_replicas_recover_from_killed_processes_and_a_hanging_redis(fragile_site: Site) -> None:
    """In each play one server process is killed and restarted while Redis hangs."""
    site = fragile_site
    async with staged(site) as stage, AsyncExitStack() as stack:
        replicas = [await stack.enter_async_context(Replica(person)) for person in stage.people]
        plays = [sends(number) for number in range(3)]
        for number, play in enumerate(plays):
            if site.redis is not None:
                site.redis.program.freeze()
            await carry_out(stage, play[:6])
            victim = site.servers[number % len(site.servers)]
            await asyncio.to_thread(victim.kill)
            for replica in replicas:
                if replica.device.server is victim:
                    await replica.device.is_closed()
            if site.redis is not None:
                site.redis.program.thaw()
            await asyncio.to_thread(victim.start)
            await carry_out(stage, play[6:])
            for replica in replicas:
                if not replica.device.is_connected:
                    await replica.reconnects()
        for replica in replicas:
            await replica.agrees()
            assert not await replica.checks_tail()
        assert stage.done == sum(map(len, plays))


async def carry_out(stage: Stage, commands: Sequence[Command]) -> None:
    for each in commands:
        await each.runs_on(stage)


def sends(number: int) -> list[Command]:
    """Thirteen commands that the server does not refuse."""
    return [
        *(Command("send", actor=each, object=each) for each in range(3)),
        Command("mention", actor=2, object=1),
        Command("edit", actor=0, object=0, where=number),
        Command("rename", actor=0, object=number),
        Command("send_over_the_socket", actor=1, where=1),
        *(Command("send", actor=each, object=each) for each in range(3)),
        Command("read", actor=2, object=4),
        Command("describe", actor=0, object=number),
        Command("send", actor=0, where=1),
    ]
