"""Signing in: sockets and requests, by token and by cookie."""

import time

import pytest
from websockets.exceptions import InvalidStatus

from tests.harness.device import PASSWORD
from tests.harness.http import http_client
from tests.harness.people import People
from tests.harness.rest import refused


async def test_a_token_in_the_header_signs_in_at_the_upgrade(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        connected = await ana.connects(auth="header")
        assert connected["user_id"] == ana.id
        assert connected["heartbeat_interval"] == 30
        assert connected["protocol"] == 1
        assert connected["server_time"].endswith("Z")


async def test_a_token_in_the_first_frame_signs_in_too(people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        assert (await ana.connects(auth="frame"))["user_id"] == ana.id
        await ben.connects()
        conversation = await ana.talks_to(ben)
        await ben.sends("hi", to=conversation)
        await ana.receives("new_message", content="hi")


async def test_a_socket_that_does_not_sign_in_in_time_is_closed(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        begun = time.monotonic()
        await ana.opens_socket(auth=None)
        await ana.is_closed(4401)
        assert time.monotonic() - begun >= 2.95, "closed before the time to sign in was over"
        limits = await ana.gets("/limits")
        assert limits["auth_seconds"] == 3, "the shared sites shorten the default of ten seconds"


@pytest.mark.parametrize(
    "first", ['{"type": "ping"}', '{"type": "auth", "token": "made up"}', '{"type": "auth"}', "nonsense", "[]"]
)
async def test_a_first_frame_without_a_valid_token_closes_the_socket(people: People, first: str) -> None:
    async with people("ana", connected=False) as (ana,):
        await ana.opens_socket(auth=None)
        await ana.says_raw(first)
        await ana.is_closed(4401)
        ana.has_not_heard("connected")
        ana.takes_all()


async def test_a_wrong_token_in_the_header_closes_the_socket(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        await ana.opens_socket(auth=None, headers={"Authorization": "Bearer made-up"})
        await ana.is_closed(4401)
        ana.takes_all()


async def test_a_token_in_the_url_does_not_sign_in(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        async with http_client() as client:
            for name in ("token", "access_token", "auth"):
                answer = await client.get(f"{ana.server.http}/api/v1/users/me", params={name: ana.token})
                assert answer.status_code == 401


async def test_a_browsers_cookie_signs_in_where_the_origin_is_allowed(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        address = ana.server.http
        async with http_client() as browser:
            answer = await browser.post(
                f"{address}/api/v1/auth/login",
                json={"username": ana.username, "password": PASSWORD, "cookie": True},
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["token"] is None
            cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        assert "sessionid" in cookies
        await ana.opens_socket(auth=None, headers={"Cookie": cookies, "Origin": address})
        assert (await ana.receives("connected"))["user_id"] == ana.id
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
            with pytest.raises(InvalidStatus) as denied:
                await ana.opens_socket(auth=None, headers={"Cookie": cookies, "Origin": origin})
            assert denied.value.response.status_code == 403


async def test_a_cookie_request_that_changes_something_needs_the_csrf_token(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        api = f"{ana.server.http}/api/v1"
        async with http_client() as browser:
            await browser.post(
                f"{api}/auth/login", json={"username": ana.username, "password": PASSWORD, "cookie": True}
            )
            assert (await browser.get(f"{api}/users/me")).json()["id"] == ana.id
            forged = await browser.patch(f"{api}/users/me", json={"about": "forged"})
            assert forged.status_code == 403
            await browser.get(f"{ana.server.http}/")
            genuine = await browser.patch(
                f"{api}/users/me",
                json={"about": "genuine"},
                headers={"X-CSRFToken": browser.cookies["csrftoken"], "Origin": ana.server.http},
            )
            assert genuine.status_code == 200, genuine.text
        assert (await ana.gets("/users/me"))["about"] == "genuine"


async def test_a_wrong_password_and_an_unknown_name_get_the_same_answer(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        answers = []
        async with http_client() as client:
            for username in (ana.username, "nobody-at-all"):
                answer = await client.post(
                    f"{ana.server.http}/api/v1/auth/login", json={"username": username, "password": "wrong horse"}
                )
                answers.append((answer.status_code, answer.json()))
        assert answers[0] == answers[1]
        assert answers[0][0] == 401


@pytest.mark.parametrize("password", ["short", "12345678901", "password"])
async def test_a_weak_password_is_refused(people: People, password: str) -> None:
    async with http_client() as client:
        answer = await client.post(
            f"{people.site.servers[0].http}/api/v1/auth/register",
            json={"username": f"weak{len(password)}", "password": password},
        )
    assert answer.status_code == 400
    assert "password" in answer.json()["fields"]


async def test_a_username_that_differs_only_in_case_is_taken(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        async with http_client() as client:
            answer = await client.post(
                f"{ana.server.http}/api/v1/auth/register",
                json={"username": ana.username.upper(), "password": PASSWORD},
            )
        assert answer.status_code in (400, 409)
        assert answer.json()["code"] in ("invalid", "conflict")


async def test_requests_without_a_token_are_refused(people: People) -> None:
    async with people("ana", connected=False) as (ana,):
        ana.token = "made up"
        for path in ("/users/me", "/conversations", "/auth/sessions"):
            with refused("unauthenticated", status=401):
                await ana.gets(path)
