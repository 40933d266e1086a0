"""5 and 27: credentials and texts are in no log, not even at DEBUG or after failures. Credentials are in no table,
key or queue, and none is accepted in a URL.
"""

import asyncio
import json
from collections.abc import Callable

import pytest
from websockets.exceptions import ConnectionClosed

from tests.harness.device import PASSWORD, Device
from tests.harness.http import http_client
from tests.harness.people import People
from tests.harness.servers import Profile, Site
from tests.security.stores import everything_in

GUESS = "a-password-that-somebody-mistyped"
TEXT = "words-that-only-two-people-share"


async def use_everything(site: Site, people: People) -> dict[str, str]:
    """Sign in, send messages, and provoke refusals wherever a credential is handled; return the secrets by name."""
    ana, ben = await people.signs_up("ana"), await people.signs_up("ben", server=site.servers[-1])
    secrets = {"password": PASSWORD, "mistyped password": GUESS, "text": TEXT}
    secrets |= {"ana's token": ana.token, "ben's token": ben.token, "secret key": site.environment["SECRET_KEY"]}
    api = f"{ana.server.http}/api/v1"
    async with http_client() as browser:
        login = {"username": ana.username, "password": PASSWORD}
        await browser.post(f"{api}/auth/login", json=login | {"cookie": True})
        await browser.get(f"{ana.server.http}/")
        secrets["cookie"] = browser.cookies["sessionid"]
        await browser.post(f"{api}/auth/login", json=login | {"password": GUESS})
        await browser.post(f"{api}/auth/login", content=json.dumps(login | {"password": GUESS})[:-1])
        await browser.post(f"{api}/auth/login", json=login | {"password": [GUESS]})
        await browser.post(f"{api}/auth/register", json={"username": "x", "password": GUESS, "token": ana.token})
        await browser.get(f"{api}/users/me", headers={"Authorization": f"Bearer {ana.token}x"})
        await browser.get(f"{api}/users/me", headers={"Authorization": f"Basic {ana.token}"})
        await browser.patch(f"{api}/users/me", json={"about": "forged"})  # without the CSRF token
        page = await browser.get(f"{ana.server.http}/admin/login/")
        crumb = {"csrfmiddlewaretoken": page.cookies.get("csrftoken") or browser.cookies["csrftoken"]}
        await browser.post(
            f"{ana.server.http}/admin/login/", data={"username": ana.username, "password": GUESS} | crumb
        )
        await browser.get(f"{ana.server.http}/nowhere", headers={"Cookie": f"sessionid={secrets['cookie']}"})
    for frame in (
        {"type": "auth", "token": ana.token, "colour": "red"},
        {"type": "auth", "token": [ana.token]},
        {"type": "ping", "token": ana.token},
    ):
        await first_frame(ana, json.dumps(frame))
    await first_frame(ana, json.dumps({"type": "auth", "token": ana.token})[:-1])
    await ana.connects(auth="frame")
    await ben.connects()
    conversation = await ana.talks_to(ben)
    await ana.sends(TEXT, to=conversation)
    await ben.receives("new_message", content=TEXT)
    for broken in (f'{{"type": "send_message", "content": "{TEXT}"', f'{{"type": "{TEXT}"}}', f'{{"x": "{TEXT}"}}'):
        await ana.says_raw(broken)
        await ana.receives("error")
    await ana.hears_error_of("auth", token=ana.token)
    await asyncio.gather(ana.leaves(), ben.leaves())
    return secrets


async def first_frame(device: Device, text: str) -> None:
    await device.opens_socket(auth=None)
    try:
        await device.says_raw(text)
    except ConnectionClosed:
        pass
    await device.is_closed(4401)


def leaked(secrets: dict[str, str], text: str) -> list[str]:
    return [name for name, secret in secrets.items() if secret in text]


async def test_no_secret_is_stored_or_logged(starts_site: Callable[..., Site], profile: Profile) -> None:
    site = starts_site(profile, settings={"LOG_LEVEL": "DEBUG"})
    secrets = await use_everything(site, People(site))
    kept = everything_in(site)
    assert secrets.pop("text") in kept, "everything_in does not find stored texts"
    assert leaked(secrets, kept) == []
    logs = "".join(server.log() for server in site.servers)
    assert "DEBUG" in logs
    assert leaked(secrets | {"text": TEXT}, logs) == []
    if site.redis is not None:
        await redis_goes_away(site)
        logs = "".join(server.log() for server in site.servers)
        assert leaked(secrets | {"database password": site.database_url}, logs) == []


async def redis_goes_away(site: Site) -> None:
    """Stop Redis and let a sign-in fail."""
    ana = await People(site).signs_up("late")
    assert site.redis is not None
    site.redis.stop()
    async with http_client() as client:
        body = {"username": ana.username, "password": PASSWORD}
        answer = await client.post(f"{ana.server.http}/api/v1/auth/login", json=body)
        assert answer.status_code == 503
        assert PASSWORD not in answer.text
    await ana.leaves()


@pytest.mark.parametrize("name", ["token", "access_token", "auth", "authorization", "sessionid", "jwt", "key"])
async def test_a_credential_in_a_url_does_not_sign_in(people: People, name: str) -> None:
    """URLs end up in the logs of proxies and in browser histories."""
    async with people("ana", connected=False) as (ana,):
        for path in ("/users/me", "/conversations"):
            async with http_client() as client:
                answer = await client.get(f"{ana.server.http}/api/v1{path}", params={name: ana.token})
            assert answer.status_code in (400, 401)
