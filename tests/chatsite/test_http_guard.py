"""A herd comes through the turnstile in order, a few in each turn of the event loop."""

import asyncio
import itertools

from chatsite.http_guard import UPGRADES_IN_A_TURN, Turnstile


async def test_each_turn_lets_a_few_in_and_nobody_overtakes() -> None:
    turnstile = Turnstile()
    through: list[int] = []
    for number in range(3 * UPGRADES_IN_A_TURN - 1):
        turnstile.enter(lambda number=number: through.append(number))
    seen = []
    while not seen or seen[-1] < 3 * UPGRADES_IN_A_TURN - 1:
        seen.append(len(through))
        await asyncio.sleep(0)
    assert max(b - a for a, b in itertools.pairwise(seen)) == UPGRADES_IN_A_TURN
    assert through == sorted(through)


async def test_who_comes_later_is_let_in_too() -> None:
    turnstile = Turnstile()
    for _ in range(3):
        through = asyncio.Event()
        turnstile.enter(through.set)
        await asyncio.wait_for(through.wait(), 5)
