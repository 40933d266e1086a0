"""Upgrades: devices that connect too often are refused; the others pass the turnstile in order and in small numbers."""

import asyncio
import itertools
import time
from typing import Any

import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from chatsite.server import http_guard
from chatsite.server.http_guard import MANY, REST_SECONDS, UPGRADES_IN_A_TURN, GuardedHttpProtocol, Turnstile
from tests.waiting import DEADLINE, until


async def test_many_upgrades_pass_in_order_a_few_each_turn() -> None:
    turnstile = Turnstile()
    through: list[int] = []
    for number in range(MANY + 3 * UPGRADES_IN_A_TURN):
        turnstile.enter(lambda number=number: through.append(number))
    seen = []
    while not seen or seen[-1] < 3 * UPGRADES_IN_A_TURN:
        seen.append(len(through))
        await asyncio.sleep(0)
    assert max(b - a for a, b in itertools.pairwise(seen)) == UPGRADES_IN_A_TURN
    assert through == list(range(len(through)))


async def test_a_few_upgrades_pass_one_by_one_with_pauses() -> None:
    turnstile = Turnstile()
    through: list[float] = []
    done = asyncio.Event()
    begun = time.perf_counter()
    for _ in range(4):
        turnstile.enter(lambda: through.append(time.perf_counter() - begun))
    turnstile.enter(done.set)
    while not through:
        await asyncio.sleep(0)
    assert len(through) == 1
    await asyncio.wait_for(done.wait(), DEADLINE)
    assert all(at >= number * (REST_SECONDS - 0.002) for number, at in enumerate(through)), "timers have milliseconds"


async def test_a_failing_upgrade_stops_no_other() -> None:
    turnstile = Turnstile()
    failures: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: failures.append(context))
    through: list[int] = []
    for number in range(MANY + 2 * UPGRADES_IN_A_TURN):
        turnstile.enter(lambda number=number: through.append(1 // (number % 3)))
    await until(lambda: len(through) + len(failures) == MANY + 2 * UPGRADES_IN_A_TURN)
    assert {type(failure["exception"]) for failure in failures} == {ZeroDivisionError}


async def test_an_idle_turnstile_lets_later_upgrades_pass() -> None:
    turnstile = Turnstile()
    for _ in range(3):
        through = asyncio.Event()
        turnstile.enter(through.set)
        await asyncio.wait_for(through.wait(), DEADLINE)
        await asyncio.sleep(2 * REST_SECONDS)  # the next arrives when the turnstile is idle


@pytest.mark.parametrize("waits", [(2.5,), (0.0, 2.5)], ids=["refused at once", "refused at its turn"])
async def test_a_device_that_connects_too_often_is_answered_429(
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
    status, *headers = (await asyncio.wait_for(reader.read(), DEADLINE)).decode().split("\r\n")
    assert (status, "retry-after: 3" in headers) == ("HTTP/1.1 429 Too Many Requests", True)
    assert asked[0][b"authorization"] == b"Bearer x"
    assert not made
    writer.close()
    server.close()
    await server.wait_closed()
