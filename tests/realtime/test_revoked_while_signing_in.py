"""A session revoked while its socket signs in: no announcement finds the socket, so the sweep checks new sockets."""

from collections.abc import Collection, Iterator, Sequence

import pytest
from django.db import OperationalError

from realtime.fanout import sweep
from realtime.fanout.hub import hub
from realtime.registry import registry
from realtime.wire.close_codes import CloseCode
from realtime.wire.errors import TryAgain
from tests.realtime.logs import FakeLog
from tests.realtime.peers import Peer


class Revocations:
    """An authenticator for which the given sessions have ended; it records the questions it is asked."""

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
def revocations(empty_hub_afterwards: None) -> Iterator[Revocations]:
    before, own = registry.authenticator, Revocations("session of ana")
    registry.register_authenticator(own)
    yield own
    registry.register_authenticator(before)


async def test_a_revoked_session_is_closed_at_the_next_tick(log: FakeLog, revocations: Revocations) -> None:
    ana, ben = Peer("ana"), Peer("ben")
    await hub.attach(ana.socket)
    await hub.attach(ben.socket)
    await sweep._check_new_sockets()
    assert await ana.closed() == CloseCode.REVOKED
    assert not ben.socket.closing


async def test_each_new_socket_is_checked_once(log: FakeLog, revocations: Revocations) -> None:
    ben = Peer("ben")
    await hub.attach(ben.socket)
    for _ in range(3):
        await sweep._check_new_sockets()
    assert revocations.asked == [{"session of ben"}]


async def test_a_check_that_failed_is_repeated(log: FakeLog, revocations: Revocations) -> None:
    ana = Peer("ana")
    await hub.attach(ana.socket)
    revocations.away = True
    with pytest.raises(TryAgain):
        await sweep._check_new_sockets()
    revocations.away = False
    await sweep._check_new_sockets()
    assert await ana.closed() == CloseCode.REVOKED


def test_ticks_are_at_most_half_a_second_apart() -> None:
    assert sweep.TICK_SECONDS <= 0.5


async def test_each_session_is_checked_once_per_round(log: FakeLog, revocations: Revocations) -> None:
    peers = [Peer(name) for name in ("ana", "ben", "cleo", "dan", "eve")]
    for number, peer in enumerate(peers):
        peer.socket.connection_id = f"{sweep.DIGITS[number * 3]}{number}"
        await hub.attach(peer.socket)
    for _ in sweep.DIGITS:
        await sweep._close_ended_sessions()
    assert sorted(revocations.asked, key=sorted) == [{peer.socket.session_id} for peer in peers]
    assert await peers[0].closed() == CloseCode.REVOKED
    assert not any(peer.socket.closing for peer in peers[1:])


async def test_a_session_missing_during_a_restore_does_not_count_as_revoked(
    log: FakeLog, revocations: Revocations, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "recent_readers", [])
    ana = Peer("ana")
    await hub.attach(ana.socket)
    log.epoch = "second"
    await sweep._check_new_sockets()
    assert not ana.socket.closing
    await sweep._find_lost_announcements()
    assert await ana.closed() == CloseCode.RESTART
