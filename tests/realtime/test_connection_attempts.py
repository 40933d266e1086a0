"""Limits on connection attempts of a device, without a network: all attempts count, and bad endings count more."""

import time
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from accounts.models import User
from accounts.services import open_session
from realtime.database.threads import in_database_thread
from realtime.socket import consumer
from realtime.socket.handshake import seconds_until_allowed
from tests.realtime.callers import Calls
from tests.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads")]


async def test_connection_attempts_are_limited_per_device(calls: Calls, token: str, cookie: str, limits: Any) -> None:
    limits(connects_per_minute=1, connects_burst=2)
    page = {"host": "testserver", "origin": "http://testserver", "cookie": cookie}
    for headers in ({"authorization": f"Bearer {token}"}, page, {"authorization": f"Bearer {uuid4()}"}):
        for _ in range(2):
            async with calls(headers=headers) as anybody:
                await until(lambda anybody=anybody: bool(anybody.frames))
        async with calls(headers=headers) as anybody:
            assert await anybody.is_denied() == 429
            assert 0 < anybody.retry_after <= 60
    varied = {"authorization": f"bearer  {token} "}, {**page, "cookie": f"varied=1; {cookie}"}
    for headers in varied:
        async with calls(headers=headers) as anybody:
            assert await anybody.is_denied() == 429, "the rest of the header does not matter"
    async with calls() as ana:
        ana.says(f'{{"type": "auth", "token": "{token}"}}')
        assert await ana.is_closed() == 4429, "a token in a frame counts like one in a header"


@pytest.mark.parametrize(
    "last",
    [
        {"type": "websocket.receive", "bytes": b"binary"},
        {"type": "websocket.disconnect", "code": 1002},
        {"type": "websocket.disconnect", "code": 1007},
        {"type": "websocket.disconnect", "code": 1009},
        {"type": "websocket.disconnect", "code": 4429},
    ],
    ids=lambda last: str(last.get("code", "binary")),
)
async def test_a_bad_frame_or_close_code_costs_further_attempts(
    calls: Calls, token: str, limits: Any, last: dict[str, Any]
) -> None:
    limits(connects_per_minute=1, connects_burst=3, connects_per_offence=2)
    as_sent = {b"authorization": f"Bearer {token}".encode()}
    async with calls(token=token) as ana:
        await ana.hears("connected")
        ana.hangs_up()
        await ana.ended()
    assert seconds_until_allowed(as_sent) == 0, "leaving is no offence"
    async with calls(token=token) as ana:
        await ana.hears("connected")
        ana.says_raw(last)
        ana.hangs_up()
        await ana.ended()
    assert 50 < seconds_until_allowed(as_sent) <= 60


@pytest.mark.parametrize(
    ("frames", "code"),
    [(["no JSON"] * 3, 4400), (["{}" + " " * 64], 1009), (['{"type":"ping"}'] * 4, 4429)],
    ids=["bad frames", "too big", "flood"],
)
async def test_exceeding_frame_limits_costs_further_attempts(
    calls: Calls, token: str, limits: Any, monkeypatch: pytest.MonkeyPatch, frames: list[str], code: int
) -> None:
    limits(
        connects_per_minute=1, connects_burst=2, connects_per_offence=2, bad_frames_per_minute=2, frame_bytes=64,
        frames_per_second=0.01, frames_burst=3,
    )  # fmt: skip
    monkeypatch.setattr(consumer, "FLOOD_SECONDS", 0)
    async with calls(token=token) as ana:
        await ana.hears("connected")
        for frame in frames:
            ana.says(frame)
        assert await ana.is_closed() == code
    assert 50 < seconds_until_allowed({b"authorization": f"Bearer {token}".encode()}) <= 60


async def test_too_many_sockets_cost_no_further_attempts(calls: Calls, token: str, limits: Any) -> None:
    limits(sockets_per_user=1, connects_per_minute=1, connects_burst=3, connects_per_offence=3)
    other = await in_database_thread(lambda: str(open_session(user=User.objects.get(username="ana")).token))
    async with calls(token=token) as ana:
        await ana.hears("connected")
        async with calls(token=other) as phone:
            assert await phone.is_closed() == 4429
        assert seconds_until_allowed({b"authorization": f"Bearer {other}".encode()}) == 0


async def test_asking_for_the_wait_counts_no_attempt(calls: Calls, limits: Any) -> None:
    limits(connects_per_minute=1, connects_burst=1)
    token, cookie = str(uuid4()), f"{settings.SESSION_COOKIE_NAME}={uuid4()}"
    page = {"host": "testserver", "origin": "http://testserver", "cookie": cookie}
    for headers in ({"authorization": f"Bearer {token}"}, page):
        as_sent = {name.encode(): value.encode() for name, value in headers.items()}
        assert [seconds_until_allowed(as_sent) for _ in range(3)] == [0, 0, 0], "asking counts no attempt"
        async with calls(headers=headers) as anybody:
            await until(lambda anybody=anybody: bool(anybody.frames))
        assert 50 < seconds_until_allowed(as_sent) <= 60
    for headers in ({}, {b"authorization": b"Bearer "}, {b"authorization": b"Basic YTpi"}, {b"cookie": b"a=b"}):
        assert seconds_until_allowed(headers) == 0


async def test_attempts_without_a_credential_are_not_counted(calls: Calls, limits: Any) -> None:
    limits(connects_per_minute=1, connects_burst=1)
    for header in ("Bearer ", "Basic YTpi"):
        for _ in range(3):
            async with calls(headers={"authorization": header}) as anybody:
                assert await anybody.is_closed() == 4401


async def test_foreign_cookies_are_not_unquoted(calls: Calls) -> None:
    quoted = 'a="' + "\\\\" * 4000 + '"'
    begun = time.thread_time()
    async with calls(headers={"origin": "http://evil.example", "cookie": quoted}) as eve:
        eve.says('{"type": "auth", "token": "made-up"}')
        assert await eve.is_closed() == 4401
    assert time.thread_time() - begun < 0.1


async def test_attempts_by_auth_frame_are_limited_per_device(calls: Calls, token: str, limits: Any) -> None:
    limits(connects_per_minute=1, connects_burst=1)
    async with calls() as ana:
        ana.says(f'{{"type": "auth", "token": "{token}"}}')
        await ana.hears("connected")
    async with calls() as ana:
        ana.says(f'{{"type": "auth", "token": "{token}", "id": "7"}}')
        assert await ana.is_closed() == 4429
        error = await ana.hears("error")
        assert (error["code"], error["id"]) == ("rate_limited", "7")
        assert 50 < error["retry_after"] <= 60


async def test_connected_devices_are_limited_per_user(calls: Calls, token: str, limits: Any) -> None:
    limits(sockets_per_user=1)
    other = await in_database_thread(lambda: str(open_session(user=User.objects.get(username="ana")).token))
    async with calls(token=token) as ana:
        await ana.hears("connected")
        async with calls(token=other) as phone:
            assert await phone.is_closed() == 4429
            error = await phone.hears("error")
            assert (error["code"], error["retry_after"]) == ("rate_limited", 30)
        async with calls(token=token) as again:
            await again.hears("connected")
            assert await ana.is_closed() == 4409, "a device replaces its own socket"
