# ruff: noqa: F811 - fixtures of another folder are imported by their names
"""A message reaches Chromium as a Web Push: encrypted by the server, decrypted, shown."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.conftest import IN_ONE_LOOP, Arrives, arrives, browser  # noqa: F401 - fixtures
from tests.browser.push_service import PushService
from tests.harness.people import People
from tests.harness.servers import Site
from tests.pushing.stage import Providers, Stage, has_browser, writes

pytestmark = IN_ONE_LOOP


@pytest.fixture
def stage(stages: Callable[[Any, Any], Stage], providers: Providers) -> Stage:
    """The embedded stage: the worker in the browser is the same for every profile."""
    return stages("embedded", "memory")


@pytest.fixture
def site(stage: Stage) -> Iterator[Site]:
    with stage.site.clean_logs():
        yield stage.site


async def test_a_message_is_shown_and_what_was_deleted_is_taken_away(
    arrives: Arrives,
    stage: Stage,
    people: People,
) -> None:
    service = stage.providers.web_push
    async with people("ana", "ben", connected=False) as (ana, ben):
        await ben.patches("/notifications/preferences", {"preview": True})
        subscription = await has_browser(ben, service)
        talk = await ana.talks_to(ben)
        page = (await arrives()).page
        in_chromium = await PushService.of(page)
        message = await writes(ana, talk, "<b>hello</b>")
        (push,) = service.arrives(token=subscription.endpoint)
        await in_chromium.delivers(push.payload)
        (shown,) = await in_chromium.shows(1, title="Ana", body="<b>hello</b>")
        assert shown["data"]["message_id"] == message["id"]
        await stage.comes_to(ben, "sent")
        await ana.asks_rest("DELETE", f"/messages/{message['id']}", query={"for": "everyone"})
        _, silent = service.arrives(2, token=subscription.endpoint)
        await in_chromium.delivers(silent.payload)
        await in_chromium.shows(0)


async def test_without_preview_nothing_of_the_message_is_shown(
    arrives: Arrives,
    stage: Stage,
    people: People,
) -> None:
    service = stage.providers.web_push
    async with people("ana", "ben", connected=False) as (ana, ben):
        subscription = await has_browser(ben, service)
        talk = await ana.talks_to(ben)
        in_chromium = await PushService.of((await arrives()).page)
        await writes(ana, talk, "a secret")
        (push,) = service.arrives(token=subscription.endpoint)
        assert "a secret" not in str(push.payload)
        await in_chromium.delivers(push.payload)
        await in_chromium.shows(1, title="New message", body="")
