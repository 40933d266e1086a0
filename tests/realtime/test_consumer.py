"""The states of one connection, without a network: who is let in, what ends it, and that it always ends."""

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from accounts.services import open_session
from realtime import consumer, handshake, registry, sweep
from realtime.door import door
from realtime.drain import drain
from realtime.errors import TryAgain
from realtime.frames import Ping
from realtime.hub import hub
from realtime.threads import in_database_thread
from tests.making import PASSWORD, person
from tests.realtime.callers import Caller

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads")]

Calls = Callable[..., Caller]


@pytest.fixture
async def calls() -> AsyncIterator[Calls]:
    """Connects to this process as if it were a server: `async with calls(token=...) as ana`."""
    from chatsite.asgi import application

    yield partial(Caller, application)
    assert hub.users == {}, "everybody was forgotten"
    assert not handshake._unsigned
    for task in sweep._tasks.pop(asyncio.get_running_loop(), []):
        task.cancel()
    if door._receiver is not None:
        door._receiver.cancel()
    door._loop = None


@pytest.fixture
async def token(calls: Calls) -> str:
    """Ana's bearer token."""
    return await in_database_thread(lambda: str(open_session(user=person("ana")).token))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The consumer's clock, which goes when it is told to."""
    clock = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(consumer, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


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
        while not (slow.heard and ana.heard):
            await asyncio.sleep(0)
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


# --- Frames in ----------------------------------------------------------------------------


async def test_a_command_with_a_mistake_in_it_is_answered_and_logged(
    calls: Calls, token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def mistaken(*_: object) -> None:
        raise ZeroDivisionError

    async with calls(token=token) as ana:
        with monkeypatch.context() as broken:
            broken.setitem(registry.commands, "ping", (Ping, mistaken))
            ana.says('{"type": "ping", "id": "7"}')
            error = await ana.hears("error")
        assert (error["code"], error["id"]) == ("server_error", "7")
        assert "a command failed" in caplog.text
        ana.says('{"type": "ping", "id": "8"}')
        assert (await ana.hears("pong"))["id"] == "8"


async def test_bad_frames_are_forgiven_after_a_minute(calls: Calls, token: str, limits: Any, clock: Any) -> None:
    limits(bad_frames_per_minute=2)
    async with calls(token=token) as ana:
        for _ in range(2):
            for _ in range(2):
                ana.says("nonsense")
            ana.says(f'{{"type": "ping", "id": "{clock.now}"}}')
            while not [frame for frame in ana.frames if frame.get("id") == str(clock.now)]:
                await asyncio.sleep(0.002)
            clock.now += 61
        for _ in range(3):
            ana.says("nonsense")
        assert await ana.is_closed() == 4400
        assert len([frame for frame in ana.frames if frame["type"] == "error"]) == 7


async def test_a_flood_is_put_off_and_ended_when_it_lasts(calls: Calls, token: str, limits: Any, clock: Any) -> None:
    limits(frames_per_second=0.001, frames_burst=1)

    async def floods(ana: Caller, seconds: int) -> None:
        for _ in range(seconds):
            heard = len(ana.frames)
            ana.says('{"type": "ping"}')
            async with asyncio.timeout(5):
                while len(ana.frames) == heard:
                    await asyncio.sleep(0.002)
            clock.now += 1

    async with calls(token=token) as ana:
        await ana.hears("connected")
        await floods(ana, 9)
        clock.now += 3  # a pause, after which the time begins anew
        await floods(ana, 10)
        assert ana.close_code is None
        ana.says('{"type": "ping"}')
        assert await ana.is_closed() == 4429
        refusals = [frame for frame in ana.frames if frame["type"] == "error"]
        assert {frame["code"] for frame in refusals} == {"rate_limited"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [("x" * 120, True), ("x" * 121, False), ("\u00e9" * 60, True), ("\u00e9" * 61, False)],
    ids=["ascii", "ascii too long", "two bytes each", "two bytes each too long"],
)
async def test_a_frame_is_measured_in_bytes(text: str, fits: bool, calls: Calls, token: str, limits: Any) -> None:
    limits(frame_bytes=120)
    async with calls(token=token) as ana:
        await ana.hears("connected")
        ana.says(text)
        if fits:
            assert (await ana.hears("error"))["code"] == "malformed"
        else:
            assert await ana.is_closed() == 1009


# --- The end ------------------------------------------------------------------------------


async def test_what_comes_after_the_close_is_not_looked_at(calls: Calls, token: str) -> None:
    async with calls(token=token) as ana:
        await ana.hears("connected")
        [socket] = hub.all_sockets()
        socket.close(4403)
        ana.says('{"type": "ping"}')
        assert await ana.is_closed() == 4403
        ana.hangs_up()
        await ana.ended()
        assert [frame["type"] for frame in ana.frames].count("pong") == 0


async def test_who_leaves_without_hearing_the_refusal_is_no_error(calls: Calls) -> None:
    async with calls() as eve:
        while not eve.heard:
            await asyncio.sleep(0)
        eve.broken = True
        eve.says("no auth frame")
        await eve.ended()
        assert eve.serving.exception() is None


async def test_who_never_answers_the_close_is_not_waited_for(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.connection.CLOSE_SECONDS", 0.01)
    monkeypatch.setattr("realtime.consumer.CLOSE_SECONDS", 0.01)
    async with calls() as eve:
        eve.says("no auth frame")
        await eve.is_closed()
        eve.says("and so on")
        await eve.ended()
        assert eve.serving.exception() is None


async def test_who_does_not_even_take_the_close_is_cut_off(calls: Calls, token: str) -> None:
    async with calls(token=token) as ana:
        await ana.hears("connected")
        [socket] = hub.all_sockets()
        ana.stops_reading()
        socket.close(4403)
        await ana.ended()
        assert ana.serving.cancelled()


def test_a_command_is_registered_once() -> None:
    with pytest.raises(RuntimeError, match="ping is registered twice"):
        registry.register_command(Ping, lambda *_: None)
    assert registry.commands["ping"][1].__module__ == "realtime.consumer"
