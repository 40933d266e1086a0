"""Typing, and what two users of a blocked pair learn of each other."""

from collections.abc import Callable
from typing import Any, cast
from uuid import UUID

import pytest
import redis

from accounts.services import block_user, unblock_user
from conversations.models import Conversation
from presence import services
from presence.leases import ConnectionLeases
from presence.typists import Typists
from realtime.database.threads import in_database_thread
from realtime.fanout.topic import Topic
from realtime.wire.announcements import EphemeralEvent
from tests.making import group, people
from tests.realtime.peers import Peer, frame_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads", "clean_store")]


@pytest.fixture
async def talk(ana_and_ben: tuple[str, str]) -> str:
    """Id of the conversation of Ana and Ben."""
    return await in_database_thread(lambda: str(Conversation.objects.get(participants__user_id=ana_and_ben[0]).id))


@pytest.fixture
def ana(ana_and_ben: tuple[str, str], talk: str) -> Peer:
    """A device of Ana's in the conversation."""
    ana = Peer(ana_and_ben[0], "phone")
    ana.socket.topics[talk] = cast(Topic, None)
    return ana


async def test_typing_ends_with_a_stop_or_with_the_lease(
    ana: Peer, talk: str, announced: list[EphemeralEvent], limits: Callable[..., None]
) -> None:
    typists = Typists()
    await typists.set(ana.socket, talk, False)
    assert announced == [], "stopping without having started announces nothing"
    await typists.set(ana.socket, talk, True)
    typists.tick()
    await typists.set(ana.socket, talk, False)
    typists.tick()
    limits(typing_lease_seconds=-1)
    await typists.set(ana.socket, talk, True)
    typists.tick()
    typists.tick()
    assert [frame_of(event)["is_typing"] for event in announced] == [True, False, True, False]
    assert {event.conversation_id for event in announced} == {talk}
    assert [event.except_session for event in announced] == ["phone", "phone", "phone", None]


async def test_typing_is_not_shown_to_a_blocked_pair(
    ana: Peer, ana_and_ben: tuple[str, str], talk: str, announced: list[EphemeralEvent], limits: Callable[..., None]
) -> None:
    _, ben = ana_and_ben
    await in_database_thread(lambda: block_user(user_id=UUID(ben), other_id=UUID(ana.socket.user_id)))
    announced.clear()
    typists = Typists()
    for _ in range(2):
        await typists.set(ana.socket, talk, True)
    await typists.set(ana.socket, talk, False)
    assert [event.except_users for event in announced] == [[ben]] * 3
    await in_database_thread(lambda: unblock_user(user_id=UUID(ben), other_id=UUID(ana.socket.user_id)))
    await typists.set(ana.socket, talk, True)
    assert announced[-1].except_users == []
    await in_database_thread(lambda: block_user(user_id=UUID(ana.socket.user_id), other_id=UUID(ben)))
    await typists.set(ana.socket, talk, True)
    assert announced[-1].except_users == [], "the cached answer holds for as long as a lease"
    limits(typing_lease_seconds=-1)
    await typists.set(ana.socket, talk, False)
    for _ in range(2):  # the first lease expires at once, so the second asks again
        await typists.set(ana.socket, talk, True)
    assert announced[-1].except_users == [ben]


async def test_leaving_during_the_block_lookup_announces_no_typing(
    ana: Peer, talk: str, announced: list[EphemeralEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaves(*_: str) -> list[str]:
        ana.socket.topics.clear()
        return []

    monkeypatch.setattr(services, "blocked_members", leaves)
    typists = Typists()
    await typists.set(ana.socket, talk, True)
    typists.tick()
    assert announced == []


async def test_a_block_makes_the_pair_look_offline_to_each_other(
    ana_and_ben: tuple[str, str], connections: ConnectionLeases, announced: list[EphemeralEvent]
) -> None:
    ana, ben = ana_and_ben
    for user_id in ana_and_ben:
        connections.add(Peer(user_id).socket)
    await connections.tick()
    announced.clear()
    pair = {"user_id": UUID(ana), "other_id": UUID(ben)}
    await in_database_thread(lambda: block_user(**pair))
    seen = [(event.user_ids, frame_of(event)["user_id"], frame_of(event)["status"]) for event in announced]
    assert sorted(seen) == sorted([([ben], ana, "offline"), ([ana], ben, "offline")])
    announced.clear()
    await in_database_thread(lambda: unblock_user(**pair))
    seen = [(event.user_ids, frame_of(event)["user_id"], frame_of(event)["status"]) for event in announced]
    assert sorted(seen) == sorted([([ben], ana, "online"), ([ana], ben, "online")])


async def test_a_block_between_strangers_announces_nothing(announced: list[EphemeralEvent]) -> None:
    def block() -> None:
        ana, ben = people("ana", "ben")
        block_user(user_id=ana.id, other_id=ben.id)

    await in_database_thread(block)
    assert announced == []


async def test_a_block_within_a_large_group_announces_nothing(
    announced: list[EphemeralEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "LISTED_PARTICIPANTS", 2)

    def block() -> None:
        ana, ben, cleo = people("ana", "ben", "cleo")
        group(ana, ben, cleo)
        block_user(user_id=ana.id, other_id=ben.id)

    await in_database_thread(block)
    assert announced == []


async def test_without_the_store_a_block_is_announced_but_not_its_end(
    ana_and_ben: tuple[str, str], announced: list[EphemeralEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = {"user_id": UUID(ana_and_ben[0]), "other_id": UUID(ana_and_ben[1])}

    class Away:
        def shown(self, _: Any) -> Any:
            raise redis.ConnectionError

    monkeypatch.setattr(services, "store", Away)
    await in_database_thread(lambda: block_user(**pair))
    assert [frame_of(event)["status"] for event in announced] == ["offline", "offline"]
    await in_database_thread(lambda: unblock_user(**pair))
    assert len(announced) == 2
