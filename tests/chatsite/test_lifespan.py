"""The shutdown hooks of a server process."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from django.db import DataError

from chatsite.server import lifespan
from realtime.registry import registry
from realtime.wire.errors import TryAgain


@pytest.fixture
def shutdown_hooks(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Awaitable[None]]]:
    hooks: list[Callable[[], Awaitable[None]]] = []
    monkeypatch.setattr(registry, "shutdown_hooks", hooks)
    return hooks


async def test_failing_and_slow_shutdown_hooks_do_not_stop_the_others(
    shutdown_hooks: list[Callable[[], Awaitable[None]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []

    async def away() -> None:
        raise TryAgain

    async def broken() -> None:
        raise DataError

    async def slow() -> None:
        await asyncio.sleep(60)

    async def good() -> None:
        written.append("written")

    monkeypatch.setattr(lifespan, "SHUTDOWN_HOOK_SECONDS", 0.05)
    shutdown_hooks += [away, broken, slow, good]
    messages, answers = [{"type": "lifespan.shutdown"}], []

    async def receive() -> dict[str, str]:
        return messages.pop()

    async def send(message: dict[str, str]) -> None:
        answers.append(message["type"])

    await lifespan.lifespan({}, receive, send)
    assert written == ["written"]
    assert answers == ["lifespan.shutdown.complete"]
