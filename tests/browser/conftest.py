"""A Chromium for the tests of the web client, and visitors in it."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright
from pytest_asyncio import is_async_test

from tests.browser.visitor import Visitor
from tests.harness.servers import Profile, Site

# Chromium takes the last list only, so this one repeats Playwright's and adds the popups of the address bar: each page
# would start a renderer for them, which takes as much time as the page.
DISABLED_FEATURES = (
    "AvoidUnnecessaryBeforeUnloadCheckSync",
    "DestroyProfileOnBrowserClose",
    "HttpsUpgrades",
    "HttpsFirstBalancedModeAutoEnable",
    "LensOverlay",
    "MediaRouter",
    "PaintHolding",
    "ThirdPartyStoragePartitioning",
    "AvoidCorsURLLoaderRestartOnRedirect",
    "OptimizationHints",
    "NetworkTimeServiceQuerying",
    "AimEnabled",
    "PreconnectToSearch",
    "WebUIOmniboxPopup",
    "WebUIOmniboxAimPopup",
)
SWITCHES = (
    f"--disable-features={','.join(DISABLED_FEATURES)}",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

Arrives = Callable[..., Awaitable[Visitor]]


IN_ONE_LOOP = pytest.mark.asyncio(loop_scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests of this folder in the event loop of the Chromium that they share."""
    for item in items:
        if is_async_test(item) and Path(__file__).parent in item.path.parents:
            item.add_marker(IN_ONE_LOOP, append=False)


def _chromium() -> str:
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    pytest.fail("no Chromium on this machine (Debian: apt-get install chromium)")


@pytest.fixture
def site(shared_sites: Callable[[Profile], Site]) -> Any:
    """The embedded site; the web client is the same for every profile."""
    shared = shared_sites("embedded")
    with shared.clean_logs():
        yield shared


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium of the system for all tests; nothing is downloaded."""
    async with async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=_chromium(), args=list(SWITCHES))
        yield chromium
        await chromium.close()


@pytest_asyncio.fixture(loop_scope="session")
async def arrives(browser: Browser, site: Site) -> AsyncIterator[Arrives]:
    """Opens browsers: `await arrives()`, `await arrives(proxy.port, **options)`.

    At the end no page may have written an error to its console.
    """
    visitors: list[Visitor] = []

    async def arrive(port: int | None = None, **options: Any) -> Visitor:
        visitor = await Visitor.arrives(browser, f"http://127.0.0.1:{port or site.servers[0].port}", **options)
        visitors.append(visitor)
        return visitor

    yield arrive
    for visitor in visitors:
        await visitor.context.close()
    for visitor in visitors:
        visitor.has_no_complaints()
