"""13: parallel guesses at two processes, over REST and in the admin, are counted together."""

import asyncio
from collections import Counter
from collections.abc import Callable

from tests.harness.device import PASSWORD
from tests.harness.http import http_client
from tests.harness.people import People
from tests.harness.servers import Site

MOST = 6


async def test_parallel_guesses_are_all_counted(starts_site: Callable[..., Site]) -> None:
    # One window for the whole test: the next one begins in 2033.
    limits = {"logins_per_account": MOST, "logins_per_account_everywhere": MOST, "login_window_seconds": 10**9}
    site = starts_site("production", limits=limits)
    ana = await People(site).signs_up("ana")
    async with http_client() as client:
        pages = [await client.get(f"{server.http}/admin/login/") for server in site.servers]
        crumbs = [page.cookies["csrftoken"] for page in pages]

        async def by_rest(number: int) -> str:
            server = site.servers[number % 2]
            # The account is the same in upper case and from another client address.
            username = ana.username.upper() if number % 3 else ana.username
            answer = await client.post(
                f"{server.http}/api/v1/auth/login",
                json={"username": username, "password": f"guess {number}"},
                headers={"X-Forwarded-For": f"192.0.2.{number}"},
            )
            return {401: "guessed", 429: "refused"}[answer.status_code]

        async def by_admin(number: int) -> str:
            server, crumb = site.servers[number % 2], crumbs[number % 2]
            answer = await client.post(
                f"{server.http}/admin/login/",
                data={"username": ana.username, "password": f"guess {number}", "csrfmiddlewaretoken": crumb},
                headers={"Cookie": f"csrftoken={crumb}"},
            )
            return "refused" if "Too many failed sign-ins" in answer.text else "guessed"

        outcomes = await asyncio.gather(*(by_rest(number) if number % 4 else by_admin(number) for number in range(40)))
        assert Counter(outcomes) == {"guessed": MOST, "refused": 40 - MOST}
        for password in (PASSWORD, "wrong"):  # the right one is refused as well: otherwise a guesser could recognise it
            answer = await client.post(
                f"{site.servers[0].http}/api/v1/auth/login", json={"username": ana.username, "password": password}
            )
            assert answer.status_code == 429
            assert int(answer.headers["Retry-After"]) > 0
    await ana.leaves()
