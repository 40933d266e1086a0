"""Waiting in tests for a condition that other code fulfils."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], *, within: float = 5.0) -> None:
    """Wait until the condition is true.

    :raises TimeoutError: it did not become true within this number of seconds.
    """
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.002)
