"""The limit on bodies, however they are cut into pieces on their way."""

import asyncio
from typing import Any

import pytest

from tests.waiting import DEADLINE

LIMIT = 256 * 1024
HEADERS = [(b"content-type", b"application/json"), (b"host", b"testserver")]


async def posts(*pieces: int, length: int | None = None) -> int:
    """Send a body in pieces of these sizes, then wait for the answer; return its status."""
    from chatsite.asgi import application

    said: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    for position, size in enumerate(pieces, 1):
        said.put_nowait({"type": "http.request", "body": b" " * size, "more_body": position < len(pieces)})
    heard: list[Any] = []

    async def hear(message: Any) -> None:
        heard.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/v1/auth/login",
        "query_string": b"",
        "headers": HEADERS + ([(b"content-length", b"%d" % length)] if length is not None else []),
    }
    await asyncio.wait_for(application(scope, said.get, hear), DEADLINE)  # type: ignore[arg-type]
    assert said.empty(), "a client that still writes could not read the answer"
    return int(heard[0]["status"])


@pytest.mark.parametrize(
    "pieces",
    [(LIMIT + 1,), (LIMIT, 1), (LIMIT, 1, 1), (LIMIT, 1, 0), (2 * LIMIT, LIMIT), (1, LIMIT, LIMIT)],
)
@pytest.mark.parametrize("announced", [True, False])
async def test_too_large_a_body_is_answered_wherever_it_is_cut(pieces: tuple[int, ...], announced: bool) -> None:
    assert await posts(*pieces, length=sum(pieces) if announced else None) == 413


@pytest.mark.django_db
@pytest.mark.parametrize("pieces", [(LIMIT,), (LIMIT - 1, 1), (0,)])
async def test_a_body_of_just_the_limit_is_read(pieces: tuple[int, ...]) -> None:
    assert await posts(*pieces, length=sum(pieces)) == 400
