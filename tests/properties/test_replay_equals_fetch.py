"""An old snapshot plus events equals a fresh snapshot: after every command, and after random plays.

Each person has two replicas: one is always connected and gets live frames only, the other was away and catches up
with `sync`. Both must equal a fresh snapshot over REST.
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import pytest
from hypothesis import given, settings

from tests.harness.replica import Replica
from tests.harness.servers import PROFILES, Profile, Site
from tests.properties.commands import COMMANDS, EVERY_COMMAND, Command, drawn, staged
from tests.properties.playing import DRAWN, plays_once

SharedSites = Callable[[Profile], Site]


async def replay_equals_fetch(site: Site, commands: Sequence[Command]) -> tuple[int, int]:
    """Run the commands and compare the replicas of everybody; return the numbers of done and refused commands."""
    async with staged(site) as stage, AsyncExitStack() as replicas:
        live, away = [], []
        for number, person in enumerate(stage.people):
            live.append(await replicas.enter_async_context(Replica(person)))
            phone = await person.another_device(
                "phone", server=site.servers[(number + 1) % len(site.servers)], connected=False
            )
            away.append(await replicas.enter_async_context(Replica(phone)))
            await phone.vanishes()
        for each in commands:
            await each.runs_on(stage)
        for replica in live:
            await replica.agrees()
            assert replica.gaps == 0, "a live frame was missing"
        for replica in away:
            await replica.reconnects()
            await replica.agrees()
        return stage.done, stage.refused


@pytest.mark.parametrize(
    "command", EVERY_COMMAND, ids=lambda each: f"{each.name}-by-{each.actor}-{each.where}-{each.object}"
)
async def test_replay_equals_fetch_after_every_command(site: Site, command: Command) -> None:
    done, refused = await replay_equals_fetch(site, [command])
    assert (done, refused) == (1, 0), "the command was refused, so the test proves nothing"


def test_the_list_of_commands_is_complete() -> None:
    assert {each.name for each in EVERY_COMMAND} == set(COMMANDS)


@pytest.mark.parametrize("profile", PROFILES)
def test_replay_equals_fetch_after_random_plays(shared_sites: SharedSites, profile: Profile) -> None:
    site = shared_sites(profile)
    done = 0

    async def one(commands: Sequence[Command]) -> None:
        nonlocal done
        done += (await replay_equals_fetch(site, commands))[0]

    @settings(DRAWN, max_examples=6)
    @given(drawn(most=36))
    def plays(commands: list[Command]) -> None:
        play(commands)

    play = plays_once(one)
    with site.clean_logs():
        plays()
    assert done > 50, "too few commands were done to prove anything"
