"""Presence of a process's connections, and typing: what peers are told, and when."""

import time
from collections.abc import Callable, Iterator
from typing import Any, cast
from uuid import UUID, uuid4

import pytest
import redis
from django.conf import settings

from accounts.services import block_user, unblock_user
from conversations.models import Conversation
from presence import services, store
from presence import socket as presence_socket
from presence.socket import Connections, Typists
from presence.store import RedisStore
from realtime.errors import TryAgain
from realtime.items import Notice
from realtime.threads import in_database_thread
from realtime.topic import Topic
from tests.clocks import Clock
from tests.making import direct, group, people
from tests.realtime.peers import Peer, frame_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads")]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Notice]:
    """What is announced, caught at the door."""
    notices: list[Notice] = []
    for module in (services, presence_socket):
        monkeypatch.setattr(module, "announce_now_without_commit", notices.extend)
    return notices


@pytest.fixture(autouse=True)
def clean_store() -> Iterator[None]:
    store.store.cache_clear()
    RedisStore(settings.REDIS_URL)._redis.flushall()
    yield
    store.store.cache_clear()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Connections:
    """The connections of one process, which looks at every tick."""
    monkeypatch.setattr(presence_socket, "LOOK_SECONDS", 0)
    return Connections()


@pytest.fixture
async def ana_and_ben() -> tuple[str, str]:
    def meet() -> tuple[str, str]:
        ana, ben = people("ana", "ben")
        direct(ana, ben)
        return str(ana.id), str(ben.id)

    return await in_database_thread(meet)


def statuses(told: list[Notice], user_id: str) -> list[str]:
    return [frame_of(notice)["status"] for notice in told if frame_of(notice).get("user_id") == user_id]


async def test_peers_are_told_who_comes_and_the_newcomer_how_they_are(
    ana_and_ben: tuple[str, str], connections: Connections, told: list[Notice]
) -> None:
    first, second = (Peer(user_id) for user_id in ana_and_ben)
    connections.add(first.socket)
    await connections.tick()
    assert (frame_of(told[0])["status"], set(told[0].user_ids or ())) == ("online", set(ana_and_ben))
    assert first.frames == [], "nothing is known of ben yet"
    connections.add(second.socket)
    await connections.tick()
    assert [(frame["user_id"], frame["status"]) for frame in second.frames] == [(ana_and_ben[0], "online")]


async def test_only_those_who_share_a_conversation_are_told(connections: Connections, told: list[Notice]) -> None:
    def make() -> list[str]:
        ana, ben, cleo, dan = people("ana", "ben", "cleo", "dan")
        group(ana, ben, cleo)
        direct(cleo, dan)
        return [str(user.id) for user in (ana, ben, cleo)]

    mine = await in_database_thread(make)
    connections.add(Peer(mine[0]).socket)
    await connections.tick()
    assert set(told[0].user_ids or ()) == set(mine)


async def test_idle_then_away_then_back(
    ana_and_ben: tuple[str, str], connections: Connections, told: list[Notice]
) -> None:
    ana, limits = Peer(ana_and_ben[0]), settings.LIMITS
    connections.add(ana.socket)
    for quiet in (0, limits.idle_seconds + 1, limits.away_seconds + 1, 0):
        ana.socket.active_at = time.monotonic() - quiet
        await connections.tick()
        await connections.tick()
    assert statuses(told, ana_and_ben[0]) == ["online", "idle", "away", "online"]


async def test_who_goes_is_offline_only_after_the_delay(
    ana_and_ben: tuple[str, str],
    connections: Connections,
    told: list[Notice],
    limits: Callable[..., None],
) -> None:
    ana = Peer(ana_and_ben[0])
    connections.add(ana.socket)
    await connections.tick()
    connections.remove(ana.socket)
    await connections.tick()
    assert statuses(told, ana_and_ben[0]) == ["online"]
    limits(offline_after_seconds=-1)
    connections.add(ana.socket)
    connections.remove(ana.socket)
    await connections.tick()
    assert statuses(told, ana_and_ben[0]) == ["online", "offline"]


async def test_a_choice_is_told_at_once(ana_and_ben: tuple[str, str], told: list[Notice]) -> None:
    async def choose(**choice: Any) -> None:
        await in_database_thread(services.choose_status, **choice)

    await choose(user_id=ana_and_ben[0], status="busy", activity="writing")
    assert statuses(told, ana_and_ben[0]) == ["offline"], "nobody is there"
    connections = Connections()
    connections.add(Peer(ana_and_ben[0]).socket)
    await connections.tick()
    await choose(user_id=ana_and_ben[0], status="invisible", activity=None)
    await choose(user_id=ana_and_ben[0], status="online", activity=None)
    assert statuses(told, ana_and_ben[0])[1:] == ["busy", "offline", "online"]


@pytest.fixture
def redis_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Points presence at a Redis that nobody runs, and back."""

    def away(is_away: bool) -> None:
        url = "redis://127.0.0.1:1/0" if is_away else settings.REDIS_URL
        monkeypatch.setattr(services, "store", lambda: RedisStore(url))

    return away


async def test_what_happens_while_the_store_is_away_is_told_afterwards(
    ana_and_ben: tuple[str, str],
    connections: Connections,
    told: list[Notice],
    limits: Callable[..., None],
    redis_away: Callable[[bool], None],
) -> None:
    ana, ben = (Peer(user_id) for user_id in ana_and_ben)
    connections.add(ana.socket)
    await connections.tick()
    redis_away(True)
    limits(offline_after_seconds=-1)
    connections.remove(ana.socket)
    connections.add(ben.socket)
    await connections.tick()
    assert statuses(told, ana_and_ben[0]) == ["online"]
    with pytest.raises(TryAgain):
        await in_database_thread(services.choose_status, user_id=ana_and_ben[0], status="busy", activity=None)
    redis_away(False)
    await connections.tick()
    assert statuses(told, ana_and_ben[0]) == ["online", "offline"]
    assert statuses(told, ana_and_ben[1]) == ["online"]
    assert [frame["status"] for frame in ben.frames] == ["offline"]


async def test_what_happens_while_the_database_is_away_is_told_afterwards(
    ana_and_ben: tuple[str, str],
    connections: Connections,
    told: list[Notice],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ana, ben = (Peer(user_id) for user_id in ana_and_ben)
    connections.add(ana.socket)
    asked = presence_socket.in_database_thread

    async def away(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if work is services.renew:  # asks Redis only
            return await asked(work, *args, **kwargs)
        raise TryAgain

    monkeypatch.setattr(presence_socket, "in_database_thread", away)
    await connections.tick()
    connections.add(ben.socket)
    await connections.tick()
    assert told == []
    monkeypatch.setattr(presence_socket, "in_database_thread", asked)
    await connections.tick()
    assert [statuses(told, user_id) for user_id in ana_and_ben] == [["online"], ["online"]]
    assert [frame["user_id"] for frame in ana.frames] == [ana_and_ben[1]]
    assert [frame["user_id"] for frame in ben.frames] == [ana_and_ben[0]]


# --- Typing -------------------------------------------------------------------------------


@pytest.fixture
async def talk(ana_and_ben: tuple[str, str]) -> str:
    """Id of the conversation of ana and ben."""
    return await in_database_thread(lambda: str(Conversation.objects.get(participants__user_id=ana_and_ben[0]).id))


@pytest.fixture
def ana(ana_and_ben: tuple[str, str], talk: str) -> Peer:
    """A device of ana's in the conversation."""
    ana = Peer(ana_and_ben[0], "phone")
    ana.socket.topics[talk] = cast(Topic, None)
    return ana


async def test_a_typist_stops_when_they_say_so_or_their_lease_ends(
    ana: Peer, talk: str, told: list[Notice], limits: Callable[..., None]
) -> None:
    typists = Typists()
    await typists.set(ana.socket, talk, False)
    assert told == [], "who did not begin does not stop"
    await typists.set(ana.socket, talk, True)
    typists.tick()
    await typists.set(ana.socket, talk, False)
    typists.tick()
    limits(typing_lease_seconds=-1)
    await typists.set(ana.socket, talk, True)
    typists.tick()
    typists.tick()
    assert [frame_of(notice)["is_typing"] for notice in told] == [True, False, True, False]
    assert {notice.conversation_id for notice in told} == {talk}
    assert [notice.except_session for notice in told] == ["phone", "phone", "phone", None]


async def test_who_is_kept_apart_does_not_learn_that_somebody_types(
    ana: Peer, ana_and_ben: tuple[str, str], talk: str, told: list[Notice], limits: Callable[..., None]
) -> None:
    _, ben = ana_and_ben
    await in_database_thread(lambda: block_user(user_id=UUID(ben), other_id=UUID(ana.socket.user_id)))
    told.clear()
    typists = Typists()
    for _ in range(2):
        await typists.set(ana.socket, talk, True)
    await typists.set(ana.socket, talk, False)
    assert [notice.except_users for notice in told] == [[ben]] * 3
    await in_database_thread(lambda: unblock_user(user_id=UUID(ben), other_id=UUID(ana.socket.user_id)))
    await typists.set(ana.socket, talk, True)
    assert told[-1].except_users == []
    await in_database_thread(lambda: block_user(user_id=UUID(ana.socket.user_id), other_id=UUID(ben)))
    await typists.set(ana.socket, talk, True)
    assert told[-1].except_users == [], "for as long as a lease"
    limits(typing_lease_seconds=-1)
    await typists.set(ana.socket, talk, False)
    for _ in range(2):  # the first counts as over at once, so the second asks again
        await typists.set(ana.socket, talk, True)
    assert told[-1].except_users == [ben]


async def test_who_leaves_while_it_is_looked_up_does_not_type(
    ana: Peer, talk: str, told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    def leaves(*_: str) -> list[str]:
        ana.socket.topics.clear()
        return []

    monkeypatch.setattr(services, "kept_from", leaves)
    typists = Typists()
    await typists.set(ana.socket, talk, True)
    typists.tick()
    assert told == []


async def test_after_a_block_the_two_look_offline_to_each_other_only(
    ana_and_ben: tuple[str, str], connections: Connections, told: list[Notice]
) -> None:
    ana, ben = ana_and_ben
    for user_id in ana_and_ben:
        connections.add(Peer(user_id).socket)
    await connections.tick()
    told.clear()
    pair = {"user_id": UUID(ana), "other_id": UUID(ben)}
    await in_database_thread(lambda: block_user(**pair))
    seen = [(notice.user_ids, frame_of(notice)["user_id"], frame_of(notice)["status"]) for notice in told]
    assert sorted(seen) == sorted([([ben], ana, "offline"), ([ana], ben, "offline")])
    told.clear()
    await in_database_thread(lambda: unblock_user(**pair))
    seen = [(notice.user_ids, frame_of(notice)["user_id"], frame_of(notice)["status"]) for notice in told]
    assert sorted(seen) == sorted([([ben], ana, "online"), ([ana], ben, "online")])


async def test_a_block_between_strangers_tells_nobody_anything(told: list[Notice]) -> None:
    def block() -> None:
        ana, ben = people("ana", "ben")
        block_user(user_id=ana.id, other_id=ben.id)

    await in_database_thread(block)
    assert told == []


async def test_a_block_between_two_of_a_large_group_tells_them_nothing(
    told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "LISTED_PARTICIPANTS", 2)

    def block() -> None:
        ana, ben, cleo = people("ana", "ben", "cleo")
        group(ana, ben, cleo)
        block_user(user_id=ana.id, other_id=ben.id)

    await in_database_thread(block)
    assert told == []


async def test_without_the_store_a_block_is_told_and_its_end_is_not(
    ana_and_ben: tuple[str, str], told: list[Notice], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = {"user_id": UUID(ana_and_ben[0]), "other_id": UUID(ana_and_ben[1])}

    class Away:
        def shown(self, _: Any) -> Any:
            raise redis.ConnectionError

    monkeypatch.setattr(services, "store", Away)
    await in_database_thread(lambda: block_user(**pair))
    assert [frame_of(notice)["status"] for notice in told] == ["offline", "offline"]
    await in_database_thread(lambda: unblock_user(**pair))
    assert len(told) == 2


class Later(Clock):
    """Runs ahead for what is due in this process; leases in the store end by the true time.

    In whole seconds: sums of fractions may be a little less than the limit that they reach.
    """

    def __init__(self) -> None:
        self.now = float(int(time.monotonic()))


async def test_leases_are_renewed_before_they_end_and_not_all_at_once(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[set[str]] = []
    renew = services.renew

    def noted(leases: list[Any]) -> set[str]:
        renewed.append({lease.connection_id for lease in leases})
        return renew(leases)

    monkeypatch.setattr(services, "renew", noted)
    clock = Later()
    monkeypatch.setattr(presence_socket, "time", clock)
    peers = [Peer(str(uuid4())) for _ in range(100)]
    for peer in peers:
        connections.add(peer.socket)
        peer.socket.active_at = clock.now
    look = 2.0
    turns_idle = int(settings.LIMITS.idle_seconds / look)
    written: dict[str, int] = {}
    for number in range(turns_idle + 30):
        await connections.tick()
        clock.now += look
        if number not in (0, turns_idle):
            assert len(renewed[number]) < 50, "they stay apart"
        for id in renewed[number]:
            assert (number - written.get(id, number)) * look <= presence_socket.RENEW_SECONDS + look
            written[id] = number
    assert [len(renewed[0]), len(renewed[turns_idle])] == [100, 100], "all came, and all fell silent together"
    assert len(written) == 100
