"""4: the origins of pages that may open the socket with a cookie; with a token any origin may."""

import base64
import os
from typing import Any

import pytest

from realtime.socket.origin import origin_is_allowed
from tests.harness.device import PASSWORD
from tests.harness.http import http_client
from tests.harness.people import People
from tests.harness.raw_frames import TEXT, command, frame, upgrade
from tests.harness.raw_socket import RawSocket
from tests.harness.servers import Site

ELSEWHERE = [
    "https://evil.example",
    "http://127.0.0.1",
    "http://127.0.0.1:1",
    "http://127.0.0.1:{port}.evil.example",
    "http://evil.example:{port}",
    "http://127.0.0.1:{port}@evil.example",
    "http://evil@127.0.0.1:{port}",
    "http://127.0.0.1:0{port}",
    "http://localhost:{port}",
    "ftp://127.0.0.1:{port}",
    "file://",
    "null",
    "",
    "*",
    "https://chat.example.org.evil.example",
    "https://evil-chat.example.org",
    "http://chat.example.org",
    "https://chat.example.org:444",
    "https://chat.example.org https://evil.example",
    "\udcff",
]
OURS = ["http://127.0.0.1:{port}", "HTTP://127.0.0.1:{port}", "https://chat.example.org", "https://CHAT.example.org"]


@pytest.fixture
async def visitor(production: Site) -> Any:
    """The cookie and the token of a person, and the port of their server."""
    ana = await People(production).signs_up("ana")
    body = {"username": ana.username, "password": PASSWORD, "cookie": True}
    async with http_client() as browser:
        answer = await browser.post(f"{ana.server.http}/api/v1/auth/login", json=body)
        cookie = answer.cookies["sessionid"]
    yield {"cookie": f"sessionid={cookie}", "token": ana.token, "port": ana.server.port}
    await ana.leaves()


def status_of(visitor: dict[str, Any], headers: dict[str, str]) -> int:
    with RawSocket(visitor["port"]) as socket:
        return socket.asks(upgrade(visitor["port"], headers))[0]


@pytest.mark.parametrize("origin", ELSEWHERE, ids=ascii)
async def test_a_foreign_page_cannot_use_the_cookie(visitor: dict[str, Any], origin: str) -> None:
    headers = {"cookie": visitor["cookie"], "origin": origin.replace("{port}", str(visitor["port"]))}
    assert status_of(visitor, headers) == 403


async def test_a_cookie_without_an_origin_is_refused(visitor: dict[str, Any]) -> None:
    assert status_of(visitor, {"cookie": visitor["cookie"]}) == 403


@pytest.mark.parametrize("origin", OURS)
async def test_a_page_of_an_allowed_origin_may_use_the_cookie(visitor: dict[str, Any], origin: str) -> None:
    headers = {"cookie": visitor["cookie"], "origin": origin.replace("{port}", str(visitor["port"]))}
    with RawSocket(visitor["port"]) as socket:
        assert socket.asks(upgrade(visitor["port"], headers))[0] == 101
        assert socket.answers().body["type"] == "pong"


async def test_a_foreign_origin_with_its_own_host_header_is_refused(visitor: dict[str, Any]) -> None:
    """As after DNS rebinding: host and origin agree, and neither is allowed."""
    headers = {"cookie": visitor["cookie"], "origin": "http://evil.example", "host": "evil.example"}
    assert status_of(visitor, headers) in (400, 403)


async def test_a_second_origin_header_is_refused(visitor: dict[str, Any]) -> None:
    good, bad = f"http://127.0.0.1:{visitor['port']}", "https://evil.example"
    request = upgrade(visitor["port"], {"cookie": visitor["cookie"], "origin": good})
    with RawSocket(visitor["port"]) as socket:
        status, _ = socket.asks(request.replace(b"\r\n\r\n", f"\r\nOrigin: {bad}\r\n\r\n".encode()))
    assert status in (400, 403)


@pytest.mark.parametrize("way", ["header", "first frame"])
async def test_a_token_is_accepted_from_any_origin(visitor: dict[str, Any], way: str) -> None:
    """A browser never adds a token by itself, so a page can only use a token that it knows."""
    headers = {"origin": "https://evil.example"}
    if way == "header":
        headers["authorization"] = f"Bearer {visitor['token']}"
    with RawSocket(visitor["port"]) as socket:
        assert socket.asks(upgrade(visitor["port"], headers))[0] == 101
        if way == "first frame":
            socket.sends(frame(TEXT, command("auth", token=visitor["token"])))
        assert socket.answers().body["type"] == "pong"


async def test_an_unknown_cookie_does_not_sign_in(visitor: dict[str, Any]) -> None:
    made_up = base64.b32encode(os.urandom(20)).decode().lower()
    headers = {"cookie": f"sessionid={made_up}", "origin": f"http://127.0.0.1:{visitor['port']}"}
    with RawSocket(visitor["port"]) as socket:
        socket.asks(upgrade(visitor["port"], headers))
        assert socket.ending().code == 4401


def test_a_plain_http_origin_is_refused_behind_tls(settings: Any) -> None:
    """An attacker on the network can write a page of plain http, and its visitors have the cookie."""
    settings.ALLOWED_HOSTS, settings.ALLOWED_ORIGINS = ["chat.example.org"], ["https://chat.example.org"]
    host = "chat.example.org"
    settings.SESSION_COOKIE_SECURE = True
    assert origin_is_allowed(f"https://{host}", host)
    settings.ALLOWED_ORIGINS = []
    assert origin_is_allowed(f"https://{host}", host)
    assert not origin_is_allowed(f"http://{host}", host)
    settings.SESSION_COOKIE_SECURE = False
    assert origin_is_allowed(f"http://{host}", host)
