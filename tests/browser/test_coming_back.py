"""Cuts, reloads and unsent messages: the browser ends with the state of the server, and nothing is lost."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from playwright.async_api import Route, expect

from tests.browser.conftest import Arrives
from tests.harness.people import People
from tests.harness.product import manage
from tests.harness.proxy import Proxy
from tests.harness.servers import Site


async def test_a_browser_that_was_offline_catches_up(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        direct = await ana.talks_to(ben)
        at_ben = await arrives()
        await at_ben.signs_in(ben)
        await at_ben.opens("Ana")
        await ana.posts_message("before", to=direct)
        await at_ben.sees("before")
        at_ben.network_is_cut = True
        await at_ben.context.set_offline(True)
        await at_ben.is_cut_off()
        await ana.posts_message("missed one", to=direct)
        await ana.posts_message("missed two", to=direct)
        await at_ben.writes("written while offline")
        await at_ben.sees_tick("written while offline", "pending")
        await at_ben.context.set_offline(False)
        await at_ben.is_online()
        await at_ben.sees_tick("written while offline", "sent")
        await expect(at_ben.page.locator(".message .text")).to_have_text(
            ["before", "missed one", "missed two", "written while offline"]
        )


async def test_a_cut_socket_reconnects_by_itself(people: People, arrives: Arrives, site: Site):
    async with people("ana", "ben", connected=False) as (ana, ben), Proxy(site.servers[0].port) as proxy:
        direct = await ana.talks_to(ben)
        at_ben = await arrives(proxy.port)
        await at_ben.signs_in(ben)
        await at_ben.opens("Ana")
        at_ben.network_is_cut = True
        proxy.refuse()
        await at_ben.is_cut_off()
        await ana.posts_message("said while the line was dead", to=direct)
        await at_ben.writes("and this too")
        proxy.heal()
        await at_ben.is_online()
        await at_ben.sees("said while the line was dead")
        await at_ben.sees_tick("and this too", "sent")
        history = await ana.history(direct)
        assert sorted(message["content"] for message in history) == ["and this too", "said while the line was dead"]


async def test_an_unsent_message_survives_a_reload(people: People, arrives: Arrives, site: Site):
    async with people("ana", "ben", connected=False) as (ana, ben):
        direct = await ana.talks_to(ben)
        at_ana = await arrives()
        await at_ana.signs_in(ana)
        await at_ana.opens("Ben")
        await at_ana.lets_the_cache_be_written()
        at_ana.network_is_cut = True
        way = {"open": False}

        async def only_if_open(route: Route) -> None:
            if way["open"]:
                await route.continue_()
            else:
                await route.abort()

        await at_ana.context.route("**/api/v1/**", only_if_open)
        await at_ana.context.route_web_socket(
            "**/ws", lambda socket: socket.connect_to_server() if way["open"] else None
        )
        await at_ana.page.reload()
        await expect(at_ana.page.locator(".header-name")).to_have_text("Ben")
        await at_ana.writes("do not lose me")
        await at_ana.sees_tick("do not lose me", "pending")
        await at_ana.page.reload()
        await at_ana.sees_tick("do not lose me", "pending")
        way["open"] = True
        await at_ana.page.reload()
        await at_ana.is_online()
        await at_ana.sees_tick("do not lose me", "sent")
        (message,) = await ben.history(direct)
        assert message["content"] == "do not lose me"


async def test_a_reload_shows_the_cache_before_the_server_answers(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        direct = await ana.talks_to(ben)
        await ana.posts_message("kept in this browser", to=direct)
        at_ben = await arrives()
        await at_ben.signs_in(ben)
        await at_ben.opens("Ana")
        await at_ben.sees("kept in this browser")
        await at_ben.lets_the_cache_be_written()
        at_ben.network_is_cut = True
        await at_ben.context.route("**/api/v1/**", lambda route: route.abort())
        await at_ben.context.route_web_socket("**/ws", lambda socket: None)
        await at_ben.page.reload()
        await at_ben.sees("kept in this browser")


async def test_a_client_reconnects_after_a_server_restart(starts_site: Callable[..., Site], arrives: Arrives):
    site = starts_site("embedded")
    async with People(site)("ana", "ben", connected=False) as (ana, ben):
        await ana.talks_to(ben)
        at_ana = await arrives(site.servers[0].port)
        await at_ana.signs_in(ana)
        await at_ana.opens("Ben")
        at_ana.network_is_cut = True
        site.servers[0].kill()
        await at_ana.is_cut_off()
        await at_ana.writes("the server is away")
        site.servers[0].start()
        await at_ana.is_online()
        await at_ana.sees_tick("the server is away", "sent")


async def test_a_client_shows_the_log_restored_from_a_backup(
    starts_site: Callable[..., Site], arrives: Arrives, tmp_path: Path
):
    site = starts_site("embedded")
    (server,) = site.servers
    file, copy = Path(site.environment["DATA_DIR"]) / "chatsite.sqlite3", tmp_path / "copy.sqlite3"
    async with People(site)("ana", "ben", connected=False) as (ana, ben):
        direct = await ana.talks_to(ben)
        at_ben = await arrives(server.port)
        await at_ben.signs_in(ben)
        await at_ben.opens("Ana")
        await ana.posts_message("kept", to=direct)
        back_up(file, copy)
        for text in ("lost one", "lost two"):
            await ana.posts_message(text, to=direct)
        await at_ben.sees("lost two")
        await at_ben.lets_the_cache_be_written()

        at_ben.network_is_cut = True
        server.kill()
        await at_ben.is_cut_off()
        put_back(copy, file)
        manage(["begin_epoch"], site.environment)
        server.start()
        for text in ("new one", "new two", "new three"):
            await ana.posts_message(text, to=direct)
        await at_ben.is_online()
        shown = at_ben.page.locator(".message .text")
        await expect(shown).to_have_text(["kept", "new one", "new two", "new three"])
        await at_ben.lets_the_cache_be_written()
        await at_ben.page.reload()
        await at_ben.is_online()
        await expect(shown).to_have_text(["kept", "new one", "new two", "new three"])


def back_up(file: Path, copy: Path) -> None:
    with closing(sqlite3.connect(file)) as original, closing(sqlite3.connect(copy)) as backup:
        original.backup(backup)


def put_back(copy: Path, file: Path) -> None:
    for journal in ("-wal", "-shm"):
        Path(f"{file}{journal}").unlink(missing_ok=True)
    shutil.copy(copy, file)


async def test_a_refused_message_stays_and_can_be_discarded(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        group = await ana.gathers(ben, name="Quiet room")
        at_ben = await arrives()
        await at_ben.signs_in(ben)
        await at_ben.opens("Quiet room")
        at_ben.network_is_cut = True
        await at_ben.context.set_offline(True)
        await at_ben.is_cut_off()
        await at_ben.writes("too late")
        await ana.patches(f"/conversations/{group['id']}/participants/{ben.id}", {"can_send_messages": False})
        await at_ben.context.set_offline(False)
        await at_ben.is_online()
        await at_ben.sees_tick("too late", "failed")
        await expect(at_ben.page.locator(".read-only")).to_be_visible()
        await at_ben.chooses("Discard", "too late")
        await expect(at_ben.bubble("too late")).to_have_count(0)


async def test_a_second_tab_takes_over_and_the_first_takes_back(people: People, arrives: Arrives):
    async with people("ana", "ben", connected=False) as (ana, ben):
        direct = await ana.talks_to(ben)
        at_ben = await arrives()
        await at_ben.signs_in(ben)
        second = await at_ben.context.new_page()
        await second.goto("/")
        await expect(second.locator(".sidebar")).to_have_attribute("data-link", "online")
        await expect(at_ben.page.locator(".sidebar")).to_have_attribute("data-link", "parked")
        await ana.posts_message("to whichever tab", to=direct)
        await expect(second.locator(".badge")).to_be_visible()
        await at_ben.page.evaluate("dispatchEvent(new Event('focus'))")
        await at_ben.is_online()
        await expect(at_ben.badge("Ana")).to_have_text("1")
        await expect(second.locator(".sidebar")).to_have_attribute("data-link", "parked")
