"""`Socket.written_until`, for connection records: the time until which everything was written to the peer."""

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
    """The clock of sockets, which the test advances."""
    clock = Clock()
    monkeypatch.setattr(sockets, "time", clock)
    return clock


async def emptied(peer: Peer) -> None:
    peer.reads_again()
    await until(lambda: peer.socket.stuck_since is None)


async def test_a_reading_peer_was_written_to_until_the_end(clock: Clock) -> None:
    peer = Peer()
    peer.deliver("a")
    assert peer.socket.written_until is None
    clock.now += 1
    peer.socket.forget()
    ended_at = clock.now
    clock.now += 1
    peer.deliver("after the end")
    peer.socket.forget()
    assert peer.socket.written_until == ended_at


async def test_written_until_is_when_the_queue_began(clock: Clock) -> None:
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
async def test_frames_queued_at_the_end_count_as_unwritten(clock: Clock, ends: Callable[[Peer], None]) -> None:
    peer = Peer()
    peer.stops_reading()
    began = clock.now
    peer.deliver("a")
    clock.now += 5
    ends(peer)
    await asyncio.sleep(0.01)
    assert peer.socket.written_until == began


async def test_frames_sent_after_the_close_count_as_written(clock: Clock) -> None:
    peer = Peer()
    peer.stops_reading()
    peer.deliver("a")
    clock.now += 5
    peer.socket.close(sockets.RESTART)
    await emptied(peer)
    assert peer.socket.written_until == clock.now
    assert await peer.closed() == peer.socket.close_code == sockets.RESTART


async def test_queued_frames_of_a_broken_connection_count_as_unwritten(clock: Clock) -> None:
    peer = Peer()
    peer.stops_reading()
    began = clock.now
    peer.deliver("a")
    clock.now += 1
    peer.broken = True
    peer.reads_again()
    await until(lambda: peer.socket.closing)
    assert peer.socket.written_until == began


async def test_buffered_events_count_as_unwritten(clock: Clock) -> None:
    peer = Peer()
    began = clock.now
    peer.socket.hold()
    clock.now += 1
    peer.socket.deliver_event("c", 1, WireFrame(b"{}"))
    assert peer.socket.written_until == began
    peer.socket.release({})
    assert peer.socket.written_until is None


async def test_buffered_then_queued_events_count_from_the_buffering(clock: Clock) -> None:
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


async def test_the_first_close_code_is_kept() -> None:
    peer = Peer()
    peer.socket.close(sockets.REPLACED)
    peer.socket.close(sockets.TOO_SLOW)
    assert peer.socket.close_code == sockets.REPLACED
