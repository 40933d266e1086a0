"""`Socket.written_until`, for connection records: the time until which everything was written to the peer."""

import asyncio
from collections.abc import Callable

import pytest

from realtime.fanout import catch_up_buffer, outbox, sockets
from realtime.wire.close_codes import CloseCode
from realtime.wire.wire_frame import WireFrame
from tests.clocks import Clock
from tests.realtime.peers import Peer
from tests.waiting import until


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of sockets, which the test advances."""
    clock = Clock()
    for module in (sockets, outbox, catch_up_buffer):
        monkeypatch.setattr(module, "time", clock)
    return clock


async def emptied(peer: Peer) -> None:
    peer.reads_again()
    await until(lambda: peer.socket.outbox.backlog is None)


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
    assert peer.socket.outbox.backlog is not None
    assert peer.socket.outbox.backlog.stuck_since == began + 1
    assert peer.socket.written_until == began
    await emptied(peer)
    assert peer.socket.written_until is None


@pytest.mark.parametrize(
    "ends", [lambda peer: peer.socket.forget(), lambda peer: peer.socket.close(CloseCode.TOO_SLOW)]
)
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
    peer.socket.close(CloseCode.RESTART)
    await emptied(peer)
    assert peer.socket.written_until == clock.now
    assert await peer.closed() == peer.socket.close_code == CloseCode.RESTART


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
    peer.socket.start_buffering()
    clock.now += 1
    peer.socket.deliver_event("c", 1, WireFrame(b"{}"))
    assert peer.socket.written_until == began
    peer.socket.release({})
    assert peer.socket.written_until is None


async def test_buffered_then_queued_events_count_from_the_buffering(clock: Clock) -> None:
    peer = Peer()
    began = clock.now
    peer.socket.start_buffering()
    peer.stops_reading()
    peer.socket.deliver_event("c", 1, WireFrame(b"{}"))
    clock.now += 1
    peer.socket.release({})
    assert peer.socket.written_until == began
    await emptied(peer)
    assert peer.socket.written_until is None


async def test_the_first_close_code_is_kept() -> None:
    peer = Peer()
    peer.socket.close(CloseCode.REPLACED)
    peer.socket.close(CloseCode.TOO_SLOW)
    assert peer.socket.close_code == CloseCode.REPLACED
