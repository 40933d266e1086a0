"""Who comes too often is refused; the others pass the turnstile in order, one by one or a few in each turn."""

import asyncio
import itertools
import time
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from chatsite.server import http_guard
from chatsite.server.http_guard import HERD, REST_SECONDS, UPGRADES_IN_A_TURN, GuardedHttpProtocol, Turnstile
from tests.waiting import until


async def test_of_a_herd_each_turn_lets_a_few_in_and_nobody_overtakes() -> None:
    turnstile = Turnstile()
    through: list[int] = []
    for number in range(HERD + 3 * UPGRADES_IN_A_TURN):
        turnstile.enter(lambda number=number: through.append(number))
    seen = []
    while not seen or seen[-1] < 3 * UPGRADES_IN_A_TURN:
        seen.append(len(through))
        await asyncio.sleep(0)
    assert max(b - a for a, b in itertools.pairwise(seen)) == UPGRADES_IN_A_TURN
    assert through == list(range(len(through)))


async def test_a_few_are_let_in_one_after_the_other_with_a_rest_between() -> None:
    turnstile = Turnstile()
    through: list[float] = []
    done = asyncio.Event()
    begun = time.perf_counter()
    for _ in range(4):
        turnstile.enter(lambda: through.append(time.perf_counter() - begun))
    turnstile.enter(done.set)
    await asyncio.sleep(REST_SECONDS / 2)
    assert len(through) == 1, "the first need not wait"
    await asyncio.wait_for(done.wait(), 5)
    assert all(at >= number * (REST_SECONDS - 0.002) for number, at in enumerate(through)), "timers count milliseconds"


async def test_one_that_fails_stops_nobody_else() -> None:
    turnstile = Turnstile()
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    through: list[int] = []
    for number in range(HERD + 2 * UPGRADES_IN_A_TURN):
        turnstile.enter(lambda number=number: through.append(1 // (number % 3)))
    await until(lambda: len(through) + len(failures) == HERD + 2 * UPGRADES_IN_A_TURN)
    assert {type(failure["exception"]) for failure in failures} == {ZeroDivisionError}


async def test_who_comes_later_is_let_in_too() -> None:
    turnstile = Turnstile()
    for _ in range(3):
        through = asyncio.Event()
        turnstile.enter(through.set)
        await asyncio.wait_for(through.wait(), 5)
        await asyncio.sleep(2 * REST_SECONDS)  # the next comes when nobody rests


@pytest.mark.parametrize("waits", [(2.5,), (0.0, 2.5)], ids=["at once", "when its turn comes"])
async def test_for_a_device_that_comes_too_often_no_socket_is_made(
    waits: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[bytes, bytes]] = []
    left = iter(waits)
    monkeypatch.setattr(http_guard, "seconds_until_allowed", lambda headers: asked.append(headers) or next(left))
    made: list[Any] = []
    config = Config(made.append, ws=lambda **_: made.append("a socket"), interface="asgi3", log_level="critical")  # type: ignore[arg-type]
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: GuardedHttpProtocol(config=config, server_state=ServerState(), app_state={}), "127.0.0.1", 0
    )
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nAuthorization: Bearer x\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    status, *headers = (await asyncio.wait_for(reader.read(), 5)).decode().split("\r\n")
    assert (status, "retry-after: 3" in headers) == ("HTTP/1.1 429 Too Many Requests", True)
    assert asked[0][b"authorization"] == b"Bearer x"
    assert not made
    writer.close()
    server.close()
    await server.wait_closed()
