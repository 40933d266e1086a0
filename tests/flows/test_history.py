"""Pages of the message history and of the list of conversations."""

from typing import Any

import pytest

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.rest import refused


async def a_long_talk(ana: Device, ben: Device) -> Any:
    """A conversation with the messages "2" to "21"; the text of each is its sequence."""
    conversation = await ana.talks_to(ben)
    for number in range(2, 22):
        await (ana, ben)[number % 2].sends(str(number), to=conversation)
    return conversation


async def page(device: Device, conversation: Any, **query: Any) -> tuple[list[int], bool]:
    found = await device.gets(f"/conversations/{conversation['id']}/messages", **query)
    for message in found["results"]:
        assert message["content"] == str(message["sequence"])
    return [message["sequence"] for message in found["results"]], found["has_more"]


async def test_history_is_paged_newest_first(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await a_long_talk(ana, ben)
        assert await page(ben, conversation) == (list(range(21, 1, -1)), False)
        assert await page(ben, conversation, limit=8) == (list(range(21, 13, -1)), True)
        assert await page(ben, conversation, limit=8, before=14) == (list(range(13, 5, -1)), True)
        assert await page(ben, conversation, limit=8, before=6) == ([5, 4, 3, 2], False)
        assert await page(ben, conversation, limit=4, before=6) == ([5, 4, 3, 2], False)
        assert await page(ben, conversation, before=2) == ([], False)


async def test_a_page_after_a_sequence_has_newer_messages(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await a_long_talk(ana, ben)
        assert await page(ben, conversation, after=17) == ([21, 20, 19, 18], False)
        assert await page(ben, conversation, after=10, limit=3) == ([13, 12, 11], True)
        assert await page(ben, conversation, after=21) == ([], False)


async def test_a_page_around_a_sequence_shows_both_sides(people: People) -> None:
    async with people("ana", "ben") as (ana, ben):
        conversation = await a_long_talk(ana, ben)
        found, _ = await page(ben, conversation, around=10, limit=5)
        assert 10 in found
        assert found == list(range(found[0], found[0] - len(found), -1))
        assert len(found) == 5
        assert found[0] > 10 > found[-1]
        found, _ = await page(ben, conversation, around=21, limit=5)
        assert found[0] == 21


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 201}, {"limit": "many"}, {"before": -1}, {"before": 3, "after": 1}, {"colour": 1}]
)
async def test_invalid_page_parameters_are_refused(people: People, query: dict[str, Any]) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        conversation = await ana.talks_to(ben)
        with refused("invalid", status=400):
            await ana.gets(f"/conversations/{conversation['id']}/messages", **query)


async def test_the_list_is_sorted_by_activity_and_paged(people: People) -> None:
    async with people("ana", "ben", connected=False) as (ana, ben):
        groups = [await ana.gathers(ben, name=f"g{number}") for number in range(5)]
        await ben.posts_message("wake up", to=groups[1])
        listed = [each["name"] async for each in ana.pages("/conversations", limit=2)]
        assert listed == ["g1", "g4", "g3", "g2", "g0"]
        unread = [each["name"] async for each in ana.pages("/conversations", unread="true")]
        assert unread == ["g1"]
