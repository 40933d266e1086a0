"""The handshake, without a network: the upgrade, and the ways to sign in."""

from typing import Any

import pytest

from accounts.models import User
from realtime.database.threads import in_database_thread
from realtime.fanout.hub import hub
from realtime.registry import registry
from realtime.socket.drain import drain
from realtime.wire.errors import TryAgain
from tests.realtime.callers import Calls
from tests.waiting import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads")]


# --- Upgrading ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/wss", "/ws/", "/api/v1/ws"])
async def test_other_paths_are_answered_404(path: str, calls: Calls, token: str) -> None:
    async with calls(path=path, token=token) as ana:
        assert await ana.is_denied() == 404


async def test_without_response_support_the_upgrade_is_closed(calls: Calls) -> None:
    async with calls(path="/elsewhere", extensions={}) as ana:
        await ana.ended()
        assert ana.received == [{"type": "websocket.close"}]


async def test_an_upgrade_during_the_drain_is_answered_503(
    calls: Calls, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drain, "begun", True)
    async with calls(token=token) as ana:
        assert await ana.is_denied() == 503


async def test_a_client_that_leaves_before_the_upgrade_gets_nothing(calls: Calls) -> None:
    ana = calls()
    ana.hangs_up()
    async with ana:
        await ana.ended()
        assert ana.received == []


async def test_a_client_that_leaves_before_signing_in_is_forgotten(calls: Calls) -> None:
    async with calls() as ana:
        ana.hangs_up()
        await ana.ended()
        assert ana.received == [{"type": "websocket.accept"}]


async def test_unsigned_sockets_are_limited_per_address(calls: Calls, limits: Any) -> None:
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


async def test_the_answer_to_the_auth_frame_carries_its_id(calls: Calls, token: str) -> None:
    async with calls() as ana:
        ana.says(f'{{"type": "auth", "token": "{token}", "id": "7"}}')
        assert (await ana.hears("connected"))["id"] == "7"
    async with calls() as eve:
        eve.says('{"type": "auth", "token": "made up", "id": "8"}')
        assert await eve.is_closed() == 4401
        assert (await eve.hears("error"))["id"] == "8"


async def test_signing_in_frees_a_slot_of_the_address(calls: Calls, token: str, limits: Any) -> None:
    limits(unsigned_sockets_per_address=2)
    async with calls() as slow, calls() as ana:
        await until(lambda: slow.received and ana.received)
        ana.says(f'{{"type": "auth", "token": "{token}"}}')
        await ana.hears("connected")
        async with calls() as third:
            third.says("no auth frame")
            assert await third.is_closed() == 4401
        assert not slow.frames


async def test_a_socket_that_does_not_sign_in_in_time_is_closed(calls: Calls, limits: Any) -> None:
    limits(auth_seconds=0.05)
    async with calls() as slow:
        assert await slow.is_closed() == 4401
        assert not slow.frames


async def test_a_page_of_an_allowed_origin_signs_in_by_cookie(calls: Calls, cookie: str) -> None:
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
async def test_foreign_cookies_do_not_hide_the_session_cookie(calls: Calls, cookie: str, others: str) -> None:
    page = {"host": "testserver", "origin": "http://testserver", "cookie": f"{others}; {cookie}"}
    async with calls(headers=page) as ben:
        await ben.hears("connected")


@pytest.mark.parametrize("none", ["", "a", "sessionid=", "xsessionid=1", 'a="'])
async def test_without_a_session_cookie_any_origin_may_sign_in_by_frame(calls: Calls, token: str, none: str) -> None:
    async with calls(headers={"origin": "http://evil.example", "cookie": none}) as ana:
        ana.says(f'{{"type": "auth", "token": "{token}"}}')
        await ana.hears("connected")


async def test_a_cookie_from_a_foreign_origin_is_answered_403(calls: Calls, cookie: str) -> None:
    async with calls(headers={"host": "testserver", "origin": "http://evil.example", "cookie": cookie}) as ben:
        assert await ben.is_denied() == 403


@pytest.mark.parametrize("credential", ["Basic YTpi", "Bearer", "Bearer made-up", "Token x"])
async def test_an_invalid_credential_closes_the_socket(credential: str, calls: Calls) -> None:
    async with calls(headers={"authorization": credential}) as eve:
        assert await eve.is_closed() == 4401
        assert (await eve.hears("error"))["code"] == "unauthenticated"


async def test_without_the_authenticator_a_socket_is_asked_to_try_again(
    calls: Calls, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> None:
        raise TryAgain

    monkeypatch.setattr(registry.authenticator, "by_tokens", away, raising=False)
    async with calls(token=token) as ana:
        assert await ana.is_closed() == 1012
        assert (await ana.hears("error"))["code"] == "try_again"


async def test_without_the_log_a_socket_is_asked_to_reconnect(
    calls: Calls, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: str) -> None:
        raise TryAgain

    monkeypatch.setattr(registry.log, "attachments", away, raising=False)
    async with calls(token=token) as ana:
        assert (await ana.hears("reconnect"))["retry_after"] > 0
        assert await ana.is_closed() == 1012
        assert not [frame for frame in ana.frames if frame["type"] == "connected"]
