"""The last that a server process does."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from django.db import DataError

from chatsite.server import lifespan
from realtime import registry
from realtime.wire.errors import TryAgain


@pytest.fixture
def last_words(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], Awaitable[None]]]:
    words: list[Callable[[], Awaitable[None]]] = []
    monkeypatch.setattr(registry, "last_words", words)
    return words


async def test_what_cannot_be_written_in_the_end_holds_nobody_up(
    last_words: list[Callable[[], Awaitable[None]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    async def away() -> None:
        raise TryAgain

    async def broken() -> None:
        raise DataError

    async def slow() -> None:
        await asyncio.sleep(60)

    async def good() -> None:
        said.append("written")

    monkeypatch.setattr(lifespan, "LAST_WORDS_SECONDS", 0.05)
    last_words += [away, broken, slow, good]
    asked, answers = [{"type": "lifespan.shutdown"}], []

    async def receive() -> dict[str, str]:
        return asked.pop()

    async def send(message: dict[str, str]) -> None:
        answers.append(message["type"])

    await lifespan.lifespan({}, receive, send)
    assert said == ["written"]
    assert answers == ["lifespan.shutdown.complete"]
