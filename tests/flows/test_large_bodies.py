"""Too large requests are refused: bodies, with or without a Content-Length, and headers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from tests.harness.http import http_client
from tests.harness.people import People

TOO_MUCH = 256 * 1024 + 1
JSON = {"content-type": "application/json"}


async def test_a_body_with_too_large_a_content_length_is_refused(people: People) -> None:
    async with people("ana") as (ana,), http_client(base_url=ana.server.http) as client:
        answer = await client.post("/api/v1/auth/login", content=b" " * TOO_MUCH, headers=JSON)
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large"


async def test_a_chunked_body_that_grows_too_large_is_refused(people: People) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * (TOO_MUCH // 8)

    async with people("ana") as (ana,), http_client(base_url=ana.server.http) as client:
        answer = await client.post("/api/v1/auth/login", content=pieces(), headers=JSON)
        assert answer.status_code == 413
        assert (await client.get("/health")).status_code == 200


REQUEST = b"POST /api/v1/auth/login HTTP/1.1\r\nhost: 127.0.0.1\r\n"
CHUNKED = REQUEST + b"content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        (REQUEST + b"x: ", b"a" * 1000),
        (REQUEST, b"x: a\r\n" * 100),
        (b"GET /", b"a" * 1000),
        (b"", b"\r\n" * 500),
        (CHUNKED + b"x: ", b"a" * 1000),
    ],
    ids=["header value", "header lines", "path", "blank lines", "trailer"],
)
async def test_an_endless_request_is_cut_off(people: People, begin: bytes, more: bytes) -> None:
    async with people("ana") as (ana,):
        reader, writer = await asyncio.open_connection("127.0.0.1", ana.server.port)
        writer.write(begin)
        sent = len(begin)
        with contextlib.suppress(ConnectionError):
            while sent < 10_000_000 and not reader.at_eof():
                writer.write(more)
                sent += len(more)
                await writer.drain()
        writer.close()
        assert sent < 10_000_000
        await ana.asks("ping")
