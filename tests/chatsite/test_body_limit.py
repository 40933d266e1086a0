"""The limit on request bodies, however they are split into pieces."""

import asyncio
from typing import Any

import pytest

LIMIT = 256 * 1024
HEADERS = [(b"content-type", b"application/json"), (b"host", b"testserver")]


async def posts(*pieces: int, length: int | None = None) -> int:
    """Send a body in pieces of these sizes, wait for the answer, and return its status."""
    from chatsite.asgi import application

    to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    for position, size in enumerate(pieces, 1):
        to_server.put_nowait({"type": "http.request", "body": b" " * size, "more_body": position < len(pieces)})
    from_server: list[Any] = []

    async def send(message: Any) -> None:
        from_server.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/v1/auth/login",
        "query_string": b"",
        "headers": HEADERS + ([(b"content-length", b"%d" % length)] if length is not None else []),
    }
    await asyncio.wait_for(application(scope, to_server.get, send), 5)  # type: ignore[arg-type]
    assert to_server.empty(), "the whole body is read, or a client that still writes could not read the answer"
    return int(from_server[0]["status"])


@pytest.mark.parametrize(
    "pieces",
    [(LIMIT + 1,), (LIMIT, 1), (LIMIT, 1, 1), (LIMIT, 1, 0), (2 * LIMIT, LIMIT), (1, LIMIT, LIMIT)],
)
@pytest.mark.parametrize("announced", [True, False])
async def test_a_too_large_body_is_answered_413_however_it_is_split(pieces: tuple[int, ...], announced: bool) -> None:
    assert await posts(*pieces, length=sum(pieces) if announced else None) == 413


@pytest.mark.django_db
@pytest.mark.parametrize("pieces", [(LIMIT,), (LIMIT - 1, 1), (0,)])
async def test_a_body_of_exactly_the_limit_is_read(pieces: tuple[int, ...]) -> None:
    assert await posts(*pieces, length=sum(pieces)) == 400
