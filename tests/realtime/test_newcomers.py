"""A session that is revoked while its socket signs in: no announcement finds the socket, a look does."""

from collections.abc import Collection, Iterator, Sequence

import pytest
from django.db import OperationalError

from realtime import registry
from realtime.fanout import sockets, sweep
from realtime.fanout.hub import hub
from realtime.wire.errors import TryAgain
from tests.realtime.logs import FakeLog
from tests.realtime.peers import Peer


class Revocations:
    """Who recognises credentials, for whom these sessions have ended; notes what it is asked."""

    def __init__(self, *ended: str) -> None:
        self.ended_sessions = set(ended)
        self.away = False
        self.asked: list[set[str]] = []

    def by_tokens(self, tokens: Sequence[str]) -> list[None]:
        return [None for _ in tokens]

    def by_cookie(self, cookie: str) -> None: ...

    def ended(self, session_ids: Collection[str]) -> Collection[str]:
        self.asked.append(set(session_ids))
        if self.away:
            raise OperationalError("away")
        return self.ended_sessions & set(session_ids)


@pytest.fixture
def revocations(nobody_stays: None) -> Iterator[Revocations]:
    before, mine = registry._authenticator[:], Revocations("session of ana")
    registry.register_authenticator(mine)
    yield mine
    registry._authenticator[:] = before


async def test_it_is_closed_at_the_next_tick(log: FakeLog, revocations: Revocations) -> None:
    ana, ben = Peer("ana"), Peer("ben")
    await hub.attach(ana.socket)
    await hub.attach(ben.socket)
    await sweep._look_at_newcomers()
    assert await ana.closed() == sockets.REVOKED
    assert not ben.socket.closing


async def test_nobody_is_a_newcomer_twice(log: FakeLog, revocations: Revocations) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    for _ in range(3):
        await sweep._look_at_newcomers()
    assert revocations.asked == [{"session of ben"}]


async def test_a_database_that_is_away_lets_nobody_slip_through(log: FakeLog, revocations: Revocations) -> None:
    ana = Peer("ana")
    await hub.attach(ana.socket)
    revocations.away = True
    with pytest.raises(TryAgain):
        await sweep._look_at_newcomers()
    revocations.away = False
    await sweep._look_at_newcomers()
    assert await ana.closed() == sockets.REVOKED


def test_the_next_tick_is_soon_enough() -> None:
    assert sweep.TICK_SECONDS <= 0.5


async def test_all_are_looked_at_in_turns_and_nobody_twice(log: FakeLog, revocations: Revocations) -> None:
    peers = [Peer(name) for name in ("ana", "ben", "cleo", "dan", "eve")]
    for number, peer in enumerate(peers):
        peer.socket.connection_id = f"{sweep.DIGITS[number * 3]}{number}"
        await hub.attach(peer.socket)
    for _ in sweep.DIGITS:
        await sweep._close_ended_sessions()
    assert sorted(revocations.asked, key=sorted) == [{peer.socket.session_id} for peer in peers]
    assert await peers[0].closed() == sockets.REVOKED
    assert not any(peer.socket.closing for peer in peers[1:])
