"""Presence from a process's connections: what peers are notified of, and when."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings

from presence import leases, services
from presence.leases import ConnectionLeases
from presence.store import RedisStore
from realtime.database.threads import in_database_thread
from realtime.wire.announcements import EphemeralEvent
from realtime.wire.errors import TryAgain
from tests.clocks import Clock
from tests.making import direct, group, people
from tests.realtime.peers import Peer, frame_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads", "clean_store")]


def statuses(announced: list[EphemeralEvent], user_id: str) -> list[str]:
    return [frame_of(event)["status"] for event in announced if frame_of(event).get("user_id") == user_id]


async def test_a_connection_notifies_peers_and_gets_their_status(
    ana_and_ben: tuple[str, str], connections: ConnectionLeases, announced: list[EphemeralEvent]
) -> None:
    first, second = (Peer(user_id) for user_id in ana_and_ben)
    connections.add(first.socket)
    await connections.tick()
    assert (frame_of(announced[0])["status"], set(announced[0].user_ids or ())) == ("online", set(ana_and_ben))
    assert first.frames == [], "nothing is known of Ben yet"
    connections.add(second.socket)
    await connections.tick()
    assert [(frame["user_id"], frame["status"]) for frame in second.frames] == [(ana_and_ben[0], "online")]


async def test_only_users_who_share_a_conversation_are_notified(
    connections: ConnectionLeases, announced: list[EphemeralEvent]
) -> None:
    def make() -> list[str]:
        ana, ben, cleo, dan = people("ana", "ben", "cleo", "dan")
        group(ana, ben, cleo)
        direct(cleo, dan)
        return [str(user.id) for user in (ana, ben, cleo)]

    mine = await in_database_thread(make)
    connections.add(Peer(mine[0]).socket)
    await connections.tick()
    assert set(announced[0].user_ids or ()) == set(mine)


async def test_inactivity_turns_idle_then_away_until_activity(
    ana_and_ben: tuple[str, str], connections: ConnectionLeases, announced: list[EphemeralEvent]
) -> None:
    ana, limits = Peer(ana_and_ben[0]), settings.LIMITS
    connections.add(ana.socket)
    for quiet in (0, limits.idle_seconds + 1, limits.away_seconds + 1, 0):
        ana.socket.active_at = time.monotonic() - quiet
        await connections.tick()
        await connections.tick()
    assert statuses(announced, ana_and_ben[0]) == ["online", "idle", "away", "online"]


async def test_a_disconnected_user_is_offline_only_after_the_delay(
    ana_and_ben: tuple[str, str],
    connections: ConnectionLeases,
    announced: list[EphemeralEvent],
    limits: Callable[..., None],
) -> None:
    ana = Peer(ana_and_ben[0])
    connections.add(ana.socket)
    await connections.tick()
    connections.remove(ana.socket)
    await connections.tick()
    assert statuses(announced, ana_and_ben[0]) == ["online"]
    limits(offline_after_seconds=-1)
    connections.add(ana.socket)
    connections.remove(ana.socket)
    await connections.tick()
    assert statuses(announced, ana_and_ben[0]) == ["online", "offline"]


async def test_a_chosen_status_is_announced_at_once(
    ana_and_ben: tuple[str, str], announced: list[EphemeralEvent]
) -> None:
    async def choose(**choice: Any) -> None:
        await in_database_thread(services.choose_status, **choice)

    await choose(user_id=ana_and_ben[0], status="busy", activity="writing")
    assert statuses(announced, ana_and_ben[0]) == ["offline"], "no device is connected"
    connections = ConnectionLeases()
    connections.add(Peer(ana_and_ben[0]).socket)
    await connections.tick()
    await choose(user_id=ana_and_ben[0], status="invisible", activity=None)
    await choose(user_id=ana_and_ben[0], status="online", activity=None)
    assert statuses(announced, ana_and_ben[0])[1:] == ["busy", "offline", "invisible", "online"]
    [to_peers, to_ana] = [event for event in announced if frame_of(event)["status"] in ("offline", "invisible")][1:]
    assert (to_peers.user_ids, to_ana.user_ids) == ([ana_and_ben[1]], [ana_and_ben[0]])


@pytest.fixture
def redis_away(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Point presence at a Redis that does not run, and back."""

    def away(is_away: bool) -> None:
        url = "redis://127.0.0.1:1/0" if is_away else settings.REDIS_URL
        monkeypatch.setattr(services, "store", lambda: RedisStore(url))

    return away


async def test_changes_during_a_store_outage_are_announced_afterwards(
    ana_and_ben: tuple[str, str],
    connections: ConnectionLeases,
    announced: list[EphemeralEvent],
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
    assert statuses(announced, ana_and_ben[0]) == ["online"]
    with pytest.raises(TryAgain):
        await in_database_thread(services.choose_status, user_id=ana_and_ben[0], status="busy", activity=None)
    redis_away(False)
    await connections.tick()
    assert statuses(announced, ana_and_ben[0]) == ["online", "offline"]
    assert statuses(announced, ana_and_ben[1]) == ["online"]
    assert [frame["status"] for frame in ben.frames] == ["offline"]


async def test_changes_during_a_database_outage_are_announced_afterwards(
    ana_and_ben: tuple[str, str],
    connections: ConnectionLeases,
    announced: list[EphemeralEvent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ana, ben = (Peer(user_id) for user_id in ana_and_ben)
    connections.add(ana.socket)
    asked = leases.in_database_thread

    async def away(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if work is services.renew:  # asks Redis only
            return await asked(work, *args, **kwargs)
        raise TryAgain

    monkeypatch.setattr(leases, "in_database_thread", away)
    await connections.tick()
    connections.add(ben.socket)
    await connections.tick()
    assert announced == []
    monkeypatch.setattr(leases, "in_database_thread", asked)
    await connections.tick()
    assert [statuses(announced, user_id) for user_id in ana_and_ben] == [["online"], ["online"]]
    assert [frame["user_id"] for frame in ana.frames] == [ana_and_ben[1]]
    assert [frame["user_id"] for frame in ben.frames] == [ana_and_ben[0]]


class AdvancedClock(Clock):
    """A clock the test advances for this process; leases in the store still expire by real time.

    Whole seconds, because a sum of fractions may fall just short of the limit that it should reach.
    """

    def __init__(self) -> None:
        self.now = float(int(time.monotonic()))


async def test_lease_renewals_are_in_time_and_spread_out(
    connections: ConnectionLeases, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[set[str]] = []
    renew = services.renew

    def recorded(leases: list[Any]) -> set[str]:
        renewed.append({lease.connection_id for lease in leases})
        return renew(leases)

    monkeypatch.setattr(services, "renew", recorded)
    clock = AdvancedClock()
    monkeypatch.setattr(leases, "time", clock)
    peers = [Peer(str(uuid4())) for _ in range(100)]
    for peer in peers:
        connections.add(peer.socket)
        peer.socket.active_at = clock.now
    tick_seconds = 2.0
    turns_idle = int(settings.LIMITS.idle_seconds / tick_seconds)
    written: dict[str, int] = {}
    for number in range(turns_idle + 30):
        await connections.tick()
        clock.now += tick_seconds
        if number not in (0, turns_idle):
            assert len(renewed[number]) < 50, "renewals stay spread out"
        for id in renewed[number]:
            assert (number - written.get(id, number)) * tick_seconds <= leases.RENEW_SECONDS + tick_seconds
            written[id] = number
    assert [len(renewed[0]), len(renewed[turns_idle])] == [100, 100], "all connected, and all became idle, at once"
    assert len(written) == 100


async def test_activity_after_a_pause_is_written_at_the_next_tick(
    connections: ConnectionLeases, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[float] = []
    monkeypatch.setattr(services, "renew", lambda leases: renewed.extend(lease.active_at for lease in leases) or set())
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    clock = AdvancedClock()
    monkeypatch.setattr(leases, "time", clock)
    peer = Peer(str(uuid4()))
    peer.socket.opened_at = peer.socket.active_at = clock.now
    connections.add(peer.socket)
    await connections.tick()
    assert renewed == [0]
    written = []
    for acts in (False, True, True, True, True, True, True, False):
        renewed.clear()
        clock.now += 2
        if acts:
            peer.socket.active_at = clock.now
        await connections.tick()
        written.append(len(renewed))
    assert written == [0, 1, 0, 0, 0, 0, 1, 0]
