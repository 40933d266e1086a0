"""Waiting in tests for a condition that other code fulfils, never for a while."""

import asyncio
from collections.abc import Callable

# Seconds after which a wait fails its test. It is far beyond what a busy machine takes, and only turns a hang into a
# failure; how soon something happens is asserted apart, where a promise is about that.
DEADLINE = 90.0


async def until(condition: Callable[[], object], *, within: float = DEADLINE) -> None:
    """Wait until the condition is true.

    :raises TimeoutError: it did not become true within this number of seconds.
    """
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.002)
