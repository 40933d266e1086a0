"""A body that is too large is refused, with or without an announced length."""

from collections.abc import AsyncIterator

import httpx

from tests.harness.people import People

TOO_MUCH = 256 * 1024 + 1
JSON = {"content-type": "application/json"}


async def test_a_body_that_announces_too_much_is_refused(people: People) -> None:
    async with people("ana") as (ana,), httpx.AsyncClient(base_url=ana.server.http, trust_env=False) as client:
        answer = await client.post("/api/v1/auth/login", content=b" " * TOO_MUCH, headers=JSON)
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large"


async def test_a_body_that_announces_nothing_is_refused_when_it_grows_too_large(people: People) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * (TOO_MUCH // 8)

    async with people("ana") as (ana,), httpx.AsyncClient(base_url=ana.server.http, trust_env=False) as client:
        answer = await client.post("/api/v1/auth/login", content=pieces(), headers=JSON)
        assert answer.status_code == 413
        assert (await client.get("/health")).status_code == 200
