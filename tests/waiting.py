"""Waiting in tests: for a condition that somebody else brings about."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], *, within: float = 5.0) -> None:
    """Wait until this is so.

    :raises TimeoutError: it did not become so.
    """
    async with asyncio.timeout(within):
        while not condition():
            await asyncio.sleep(0.002)
