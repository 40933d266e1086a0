"""Who is let in, without a network: the upgrade, and the ways to sign in."""

from typing import Any

import pytest

from accounts.models import User
from realtime import registry
from realtime.database.threads import in_database_thread
from realtime.fanout.hub import hub
from realtime.socket.drain import drain
from realtime.wire.errors import TryAgain
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
