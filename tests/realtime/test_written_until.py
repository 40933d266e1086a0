"""Up to when a socket wrote all that it was given: what the records of connections say of it."""

import asyncio
from collections.abc import Callable

import pytest

from realtime.fanout import sockets
from realtime.wire.wire_frame import WireFrame
from tests.clocks import Clock
from tests.realtime.peers import Peer
from tests.waiting import until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of sockets, which goes on when it is told to."""
    clock = Clock()
    monkeypatch.setattr(sockets, "time", clock)
    return clock


async def emptied(peer: Peer) -> None:
    peer.reads_again()
    await until(lambda: peer.socket.stuck_since is None)


async def test_a_peer_that_reads_was_given_everything_until_the_end(clock: Clock) -> None:
    peer = Peer()
    peer.deliver("a")
    assert peer.socket.written_until is None
    clock.now += 1
    peer.socket.forget()
    ended_at = clock.now
    clock.now += 1
    peer.deliver("nobody writes this")
    peer.socket.forget()
    assert peer.socket.written_until == ended_at


async def test_it_is_when_the_queue_began_however_many_frames_went_out_since(clock: Clock) -> None:
    peer = Peer()
    peer.stops_reading()
    began = clock.now
    peer.deliver("a", "b")
    clock.now += 1
    peer.reads_again()
    await asyncio.sleep(0)
    peer.stops_reading()
    peer.deliver("c")
    await asyncio.sleep(0)
    assert peer.socket.stuck_since == began + 1
    assert peer.socket.written_until == began
    await emptied(peer)
    assert peer.socket.written_until is None


@pytest.mark.parametrize("ends", [lambda peer: peer.socket.forget(), lambda peer: peer.socket.close(sockets.TOO_SLOW)])
async def test_what_waits_at_the_end_was_not_written(clock: Clock, ends: Callable[[Peer], None]) -> None:
    peer = Peer()
    peer.stops_reading()
    began = clock.now
    peer.deliver("a")
    clock.now += 5
    ends(peer)
    await asyncio.sleep(0.01)
    assert peer.socket.written_until == began


async def test_what_waited_when_it_was_closed_counts_once_it_went_out_after_all(clock: Clock) -> None:
    peer = Peer()
    peer.stops_reading()
    peer.deliver("a")
    clock.now += 5
    peer.socket.close(sockets.RESTART)
    await emptied(peer)
    assert peer.socket.written_until == clock.now
    assert await peer.closed() == peer.socket.close_code == sockets.RESTART


async def test_a_broken_line_wrote_nothing_of_what_waited(clock: Clock) -> None:
    peer = Peer()
    peer.stops_reading()
    began = clock.now
    peer.deliver("a")
    clock.now += 1
    peer.broken = True
    peer.reads_again()
    await until(lambda: peer.socket.closing)
    assert peer.socket.written_until == began


async def test_what_is_held_back_was_not_written_yet(clock: Clock) -> None:
    peer = Peer()
    began = clock.now
    peer.socket.hold()
    clock.now += 1
    peer.socket.deliver_event("c", 1, WireFrame(b"{}"))
    assert peer.socket.written_until == began
    peer.socket.release({})
    assert peer.socket.written_until is None


async def test_what_was_held_back_and_then_waits_counts_from_the_holding_on(clock: Clock) -> None:
    peer = Peer()
    began = clock.now
    peer.socket.hold()
    peer.stops_reading()
    peer.socket.deliver_event("c", 1, WireFrame(b"{}"))
    clock.now += 1
    peer.socket.release({})
    assert peer.socket.written_until == began
    await emptied(peer)
    assert peer.socket.written_until is None


async def test_the_servers_word_for_the_end_is_the_first_one() -> None:
    peer = Peer()
    peer.socket.close(sockets.REPLACED)
    peer.socket.close(sockets.TOO_SLOW)
    assert peer.socket.close_code == sockets.REPLACED
