"""Fixtures of the security list."""

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import pytest_asyncio

from tests.browser.conftest import arrives, browser
from tests.contracts.conftest import world
from tests.fixtures import *  # noqa: F403 - fixtures are found by name
from tests.harness.people import People
from tests.harness.servers import Site
from tests.security.staff import Staff

__all__ = ["arrives", "browser", "world"]


@pytest.fixture
def production(shared_sites: Callable[[str], Site]) -> Iterator[Site]:
    """The shared site of two processes; the test fails if one logs a traceback."""
    site = shared_sites("production")
    with site.clean_logs():
        yield site


@pytest_asyncio.fixture
async def staff(production: Site) -> AsyncIterator[Staff]:
    """A superuser, signed in to the admin."""
    async with Staff(await People(production).signs_up("root")) as staff:
        yield staff
