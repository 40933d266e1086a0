"""Who is let in, without a network: the upgrade, and the ways to sign in."""

import time
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from accounts.services import open_session
from realtime import consumer, registry
from realtime.drain import drain
from realtime.errors import TryAgain
from realtime.handshake import seconds_until_allowed
from realtime.hub import hub
from realtime.threads import in_database_thread
from tests.making import PASSWORD, person
from tests.realtime.callers import Calls
from tests.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads")]


# --- Upgrading ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/wss", "/ws/", "/api/v1/ws"])
async def test_there_is_one_path(path: str, calls: Calls, token: str) -> None:
    async with calls(path=path, token=token) as ana:
        assert await ana.is_denied() == 404


async def test_where_the_server_cannot_answer_the_upgrade_is_closed(calls: Calls) -> None:
    async with calls(path="/elsewhere", extensions={}) as ana:
        await ana.ended()
        assert ana.heard == [{"type": "websocket.close"}]


async def test_who_comes_while_the_server_goes_away_is_sent_elsewhere(
    calls: Calls, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "begun", True)
    async with calls(token=token) as ana:
        assert await ana.is_denied() == 503


async def test_who_leaves_before_the_upgrade_gets_nothing(calls: Calls) -> None:
    ana = calls()
    ana.hangs_up()
    async with ana:
        await ana.ended()
        assert ana.heard == []


async def test_who_leaves_before_signing_in_leaves_nothing_behind(calls: Calls) -> None:
    async with calls() as ana:
        ana.hangs_up()
        await ana.ended()
        assert ana.heard == [{"type": "websocket.accept"}]


async def test_so_many_sockets_of_an_address_may_wait_to_sign_in(calls: Calls, limits: Any) -> None:
    limits(unsigned_sockets_per_address=2)
    async with calls() as first, calls():
        async with calls() as third:
            assert await third.is_denied() == 429
        first.hangs_up()
        await first.ended()
        async with calls() as fourth:
            fourth.says("no auth frame")
            assert await fourth.is_closed() == 4401


# --- Signing in ---------------------------------------------------------------------------


async def test_the_answer_to_the_first_frame_carries_its_id(calls: Calls, token: str) -> None:
    async with calls() as ana:
        ana.says(f'{{"type": "auth", "token": "{token}", "id": "7"}}')
        assert (await ana.hears("connected"))["id"] == "7"
    async with calls() as eve:
        eve.says('{"type": "auth", "token": "made up", "id": "8"}')
        assert await eve.is_closed() == 4401
        assert (await eve.hears("error"))["id"] == "8"


async def test_who_signs_in_makes_room_for_others_of_the_address(calls: Calls, token: str, limits: Any) -> None:
    limits(unsigned_sockets_per_address=2)
    async with calls() as slow, calls() as ana:
        await until(lambda: slow.heard and ana.heard)
        ana.says(f'{{"type": "auth", "token": "{token}"}}')
        await ana.hears("connected")
        async with calls() as third:
            third.says("no auth frame")
            assert await third.is_closed() == 4401
        assert not slow.frames


async def test_who_does_not_sign_in_in_time_is_shown_out(calls: Calls, limits: Any) -> None:
    limits(auth_seconds=0.05)
    async with calls() as slow:
        assert await slow.is_closed() == 4401
        assert not slow.frames


@pytest.fixture
async def cookie(calls: Calls) -> str:
    """The Cookie header of ben's browser, signed in."""

    def signed_in() -> str:
        person("ben")
        browser = Client()
        body = {"username": "ben", "password": PASSWORD, "cookie": True}
        assert browser.post("/api/v1/auth/login", body, content_type="application/json").status_code == 200
        return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"

    return await in_database_thread(signed_in)


async def test_a_page_of_ours_signs_in_with_its_visitor_s_cookie(calls: Calls, cookie: str) -> None:
    page = {"host": "testserver", "origin": "http://testserver"}
    async with calls(headers={**page, "cookie": cookie}) as ben:
        await ben.hears("connected")
        [socket] = hub.all_sockets()
        assert await in_database_thread(lambda: User.objects.get(id=socket.user_id).username) == "ben"
    async with calls(headers={**page, "cookie": f"{cookie}x"}) as eve:
        assert await eve.is_closed() == 4401


@pytest.mark.parametrize(
    "others", ["csrftoken=1", "strange@name=1", "path=/", "nameless", '{"a": 1}', 'b="', "xsessionid=1"]
)
async def test_cookies_of_others_do_not_hide_ours(calls: Calls, cookie: str, others: str) -> None:
    page = {"host": "testserver", "origin": "http://testserver", "cookie": f"{others}; {cookie}"}
    async with calls(headers=page) as ben:
        await ben.hears("connected")


@pytest.mark.parametrize("none", ["", "a", "sessionid=", "xsessionid=1", 'a="'])
async def test_who_brings_no_cookie_of_ours_signs_in_by_a_frame(calls: Calls, token: str, none: str) -> None:
    async with calls(headers={"origin": "http://evil.example", "cookie": none}) as ana:
        ana.says(f'{{"type": "auth", "token": "{token}"}}')
        await ana.hears("connected")


async def test_a_page_from_elsewhere_is_not_even_upgraded(calls: Calls, cookie: str) -> None:
    async with calls(headers={"host": "testserver", "origin": "http://evil.example", "cookie": cookie}) as ben:
        assert await ben.is_denied() == 403


@pytest.mark.parametrize("credential", ["Basic YTpi", "Bearer", "Bearer made-up", "Token x"])
async def test_no_other_credential_is_one(credential: str, calls: Calls) -> None:
    async with calls(headers={"authorization": credential}) as eve:
        assert await eve.is_closed() == 4401
        assert (await eve.hears("error"))["code"] == "unauthenticated"


async def test_who_cannot_be_recognised_for_now_is_asked_to_come_back(
    calls: Calls, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> None:
        raise TryAgain

    monkeypatch.setattr(registry.authenticator(), "by_tokens", away, raising=False)
    async with calls(token=token) as ana:
        assert await ana.is_closed() == 1012
        assert (await ana.hears("error"))["code"] == "try_again"


async def test_whose_conversations_cannot_be_read_for_now_is_asked_to_come_back(
    calls: Calls, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> None:
        raise TryAgain

    monkeypatch.setattr(registry.log(), "attachments", away, raising=False)
    async with calls(token=token) as ana:
        assert (await ana.hears("reconnect"))["retry_after"] > 0
        assert await ana.is_closed() == 1012
        assert not [frame for frame in ana.frames if frame["type"] == "connected"]


async def test_a_device_connects_so_often(calls: Calls, token: str, cookie: str, limits: Any) -> None:
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
            assert await anybody.is_denied() == 429, "whatever else the header says"
    async with calls() as ana:
        ana.says(f'{{"type": "auth", "token": "{token}"}}')
        assert await ana.is_closed() == 4429, "whichever way it comes"


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
async def test_who_is_cut_off_for_frames_comes_less_often(
    calls: Calls, token: str, limits: Any, last: dict[str, Any]
) -> None:
    limits(connects_per_minute=1, connects_burst=3, connects_per_offence=2)
    as_sent = {b"authorization": f"Bearer {token}".encode()}
    async with calls(token=token) as ana:
        await ana.hears("connected")
        ana.hangs_up()
        await ana.ended()
    assert seconds_until_allowed(as_sent) == 0, "who only left is not blamed"
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
async def test_who_sends_too_much_comes_less_often_too(
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


async def test_who_has_too_many_sockets_is_not_blamed(calls: Calls, token: str, limits: Any) -> None:
    limits(sockets_per_user=1, connects_per_minute=1, connects_burst=3, connects_per_offence=3)
    other = await in_database_thread(lambda: str(open_session(user=User.objects.get(username="ana")).token))
    async with calls(token=token) as ana:
        await ana.hears("connected")
        async with calls(token=other) as phone:
            assert await phone.is_closed() == 4429
        assert seconds_until_allowed({b"authorization": f"Bearer {other}".encode()}) == 0


async def test_a_server_may_ask_before_it_lets_an_upgrade_in(calls: Calls, limits: Any) -> None:
    limits(connects_per_minute=1, connects_burst=1)
    token, cookie = str(uuid4()), f"{settings.SESSION_COOKIE_NAME}={uuid4()}"
    page = {"host": "testserver", "origin": "http://testserver", "cookie": cookie}
    for headers in ({"authorization": f"Bearer {token}"}, page):
        as_sent = {name.encode(): value.encode() for name, value in headers.items()}
        assert [seconds_until_allowed(as_sent) for _ in range(3)] == [0, 0, 0], "which counts nothing"
        async with calls(headers=headers) as anybody:
            await until(lambda anybody=anybody: bool(anybody.frames))
        assert 50 < seconds_until_allowed(as_sent) <= 60
    for headers in ({}, {b"authorization": b"Bearer "}, {b"authorization": b"Basic YTpi"}, {b"cookie": b"a=b"}):
        assert seconds_until_allowed(headers) == 0


async def test_what_is_no_credential_is_not_counted(calls: Calls, limits: Any) -> None:
    limits(connects_per_minute=1, connects_burst=1)
    for header in ("Bearer ", "Basic YTpi"):
        for _ in range(3):
            async with calls(headers={"authorization": header}) as anybody:
                assert await anybody.is_closed() == 4401


async def test_cookies_that_take_long_to_unquote_are_not_looked_into(calls: Calls) -> None:
    quoted = 'a="' + "\\\\" * 4000 + '"'
    begun = time.thread_time()
    async with calls(headers={"origin": "http://evil.example", "cookie": quoted}) as eve:
        eve.says('{"type": "auth", "token": "made-up"}')
        assert await eve.is_closed() == 4401
    assert time.thread_time() - begun < 0.1


async def test_a_device_that_signs_in_by_a_frame_connects_so_often(calls: Calls, token: str, limits: Any) -> None:
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


async def test_a_person_has_so_many_devices_connected(calls: Calls, token: str, limits: Any) -> None:
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
            assert await ana.is_closed() == 4409, "the same device takes its own place"
