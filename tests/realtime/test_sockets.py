"""One socket: order, back-pressure, the bounded outbox, what is dropped first, and the close."""

import asyncio
from collections.abc import Callable

import pytest
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from realtime.wire.close_codes import CloseCode
from realtime.wire.frames import Reconnect
from realtime.wire.wire_frame import WireFrame
from tests.realtime.peers import Peer
from tests.waiting import until


@pytest.fixture
def small(limits: Callable[..., None]) -> None:
    """An outbox of eight frames or a thousand bytes."""
    limits(outbox_frames=8, outbox_bytes=1_000)


def numbered(count: int, *, first: int = 0) -> list[str]:
    return [str(number) for number in range(first, first + count)]


async def test_a_reading_peer_gets_frames_at_once_without_a_task() -> None:
    peer, before = Peer(), len(asyncio.all_tasks())
    peer.deliver(*numbered(500))
    assert peer.texts == numbered(500)
    assert len(asyncio.all_tasks()) == before
    assert peer.socket.outbox.backlog is None


@pytest.mark.usefixtures("small")
async def test_a_paused_peer_gets_all_frames_in_order_afterwards() -> None:
    peer = Peer()
    peer.deliver("a")
    peer.stops_reading()
    peer.deliver(*numbered(8))
    await asyncio.sleep(0)
    assert peer.texts == ["a"]
    assert peer.socket.outbox.backlog is not None
    await peer.reads(9)
    peer.deliver("z")
    await peer.reads(10)
    assert peer.texts == ["a", *numbered(8), "z"]
    assert peer.socket.outbox.backlog is None


@pytest.mark.usefixtures("small")
async def test_frames_keep_their_order_while_the_outbox_empties() -> None:
    """A frame that arrives while the writer is between two frames queues behind it."""
    peer, expected = Peer(), []
    for round in range(30):
        if round % 3 == 0:
            peer.stops_reading()
        texts = numbered(3, first=round * 3)
        peer.deliver(*texts)
        expected += texts
        await asyncio.sleep(0)
        if round % 3 == 1:
            peer.reads_again()
        await asyncio.sleep(0)
    await peer.reads(len(expected))
    assert peer.texts == expected


@pytest.mark.usefixtures("small")
async def test_a_full_outbox_closes_the_socket_as_too_slow() -> None:
    peer = Peer()
    peer.stops_reading()
    peer.deliver(*numbered(1 + 8))
    assert not peer.socket.closing
    peer.deliver("one too many")
    assert peer.socket.closing
    peer.reads_again()
    assert await peer.closed() == CloseCode.TOO_SLOW
    assert peer.texts == numbered(9), "queued frames still go out before the close"


@pytest.mark.usefixtures("small")
async def test_the_outbox_is_limited_in_bytes_as_well() -> None:
    peer = Peer()
    peer.stops_reading()
    peer.deliver("x" * 100, "y" * 800)
    assert not peer.socket.closing
    peer.deliver("z" * 101)
    assert peer.socket.closing
    peer.reads_again()
    assert await peer.closed() == CloseCode.TOO_SLOW


@pytest.mark.usefixtures("small")
async def test_droppable_frames_are_dropped_first() -> None:
    peer = Peer()
    peer.stops_reading()
    peer.deliver("0")
    peer.deliver(*numbered(4, first=1))
    peer.deliver("typing", droppable=True)
    peer.deliver(*numbered(4, first=5))
    assert not peer.socket.closing
    await peer.reads(9)
    peer.deliver("typing again", droppable=True)
    assert peer.texts == [*numbered(9), "typing again"]


@pytest.mark.usefixtures("small")
async def test_droppable_frames_are_sent_while_there_is_room() -> None:
    peer = Peer()
    peer.stops_reading()
    peer.deliver("0", "1")
    peer.deliver("typing", droppable=True)
    await peer.reads(3)
    assert peer.texts == ["0", "1", "typing"]


async def test_a_peer_that_does_not_read_the_close_is_cut_off() -> None:
    peer = Peer()
    peer.stops_reading()
    peer.deliver("a")
    peer.socket.close(CloseCode.REVOKED)
    assert await peer.closed() is None
    assert peer.aborted


async def test_a_socket_closes_once_after_its_last_frame() -> None:
    peer = Peer()
    peer.socket.close(CloseCode.RESTART, Reconnect(retry_after=1))
    peer.socket.close(CloseCode.REVOKED)
    peer.deliver("after")
    assert await peer.closed() == CloseCode.RESTART
    assert [frame["type"] for frame in peer.frames] == ["reconnect"]


@pytest.mark.usefixtures("small")
async def test_a_last_frame_without_room_is_left_out_and_the_code_stays() -> None:
    peer = Peer()
    peer.stops_reading()
    peer.deliver(*numbered(1 + 8))
    peer.socket.close(CloseCode.RESTART, Reconnect(retry_after=1))
    assert peer.socket.close_code == CloseCode.RESTART
    peer.reads_again()
    assert await peer.closed() == CloseCode.RESTART
    assert peer.texts == numbered(9)


async def test_a_broken_peer_is_not_written_to_again() -> None:
    peer = Peer()
    peer.broken = True
    peer.deliver("a", "b")
    assert peer.socket.closing
    waiting = Peer()
    waiting.stops_reading()
    waiting.deliver("a", "b")
    waiting.broken = True
    waiting.reads_again()
    await until(lambda: waiting.socket.closing)
    assert waiting.sent == []


async def test_a_forgotten_socket_leaves_no_task() -> None:
    peer, before = Peer(), len(asyncio.all_tasks())
    peer.stops_reading()
    peer.deliver("a", "b")
    assert len(asyncio.all_tasks()) == before + 1
    peer.socket.forget()
    await until(lambda: len(asyncio.all_tasks()) <= before)
    assert peer.sent == []


# --- Ready frames -------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 300_000])
def test_a_ready_frame_is_valid_on_the_wire(size: int) -> None:
    data = ("ä" * (size // 2) + "x" * (size % 2)).encode()
    client = ClientProtocol(parse_uri("ws://localhost/"), state=State.OPEN, max_size=None)
    wire = WireFrame(data).wire
    assert len(wire) - size == (2 if size < 126 else 4 if size < 65_536 else 10), "the shortest header"
    client.receive_data(wire)
    (frame,) = client.events_received()
    assert isinstance(frame, Frame)
    assert (frame.opcode, frame.fin, bytes(frame.data)) == (Opcode.TEXT, True, data)


async def test_ready_and_queued_frames_keep_their_order() -> None:
    peer = Peer(takes_frames=True)
    peer.deliver("0", "1")
    peer.stops_reading()
    peer.deliver("2", "3")
    await peer.reads(2)
    peer.deliver("4")
    assert peer.texts == ["2", "3"]
    assert [frame[2:] for frame in peer.written] == [b"0", b"1", b"4"]


# --- Catching up --------------------------------------------------------------------------


def event(peer: Peer, conversation_id: str, sequence: int) -> None:
    peer.socket.deliver_event(conversation_id, sequence, WireFrame(f"{conversation_id}{sequence}".encode()))


async def test_live_events_are_buffered_until_the_catch_up_ends() -> None:
    peer = Peer()
    peer.socket.start_buffering()
    event(peer, "a", 5)
    event(peer, "b", 1)
    event(peer, "a", 6)
    peer.deliver("from the catch-up")
    peer.socket.release({"a": 5})
    event(peer, "a", 7)
    assert peer.texts == ["from the catch-up", "b1", "a6", "a7"]


async def test_nothing_comes_before_connected_and_a_catch_up_does_not_keep_ephemeral_events() -> None:
    peer = Peer()
    peer.socket.start_buffering(ephemeral=True)
    peer.socket.deliver_ephemeral(WireFrame(b"early"), droppable=True)
    peer.socket.deliver_event("a", 5, WireFrame(b"an event"))
    assert peer.texts == []
    peer.deliver("connected")
    peer.socket.release({})
    assert peer.texts == ["connected", "early", "an event"]
    peer.socket.start_buffering()
    peer.socket.deliver_ephemeral(WireFrame(b"at once"), droppable=False)
    assert peer.texts[3:] == ["at once"]


async def test_buffering_twice_and_releasing_twice_raise() -> None:
    peer = Peer()
    with pytest.raises(RuntimeError, match="expected a socket that buffers, got one that delivers"):
        peer.socket.release({})
    peer.socket.start_buffering()
    event(peer, "a", 1)
    with pytest.raises(RuntimeError, match="expected a socket that delivers, got one that buffers"):
        peer.socket.start_buffering()
    peer.socket.release({})
    assert peer.texts == ["a1"], "what was buffered is not lost"


async def test_too_many_buffered_events_close_the_socket(limits: Callable[..., None]) -> None:
    limits(outbox_frames=2)
    peer = Peer()
    peer.socket.start_buffering()
    for sequence in range(8):
        event(peer, "a", sequence)
    assert not peer.socket.closing
    event(peer, "a", 8)
    assert await peer.closed() == CloseCode.TOO_SLOW


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize(
    "size",
    [
        pytest.param(1, id="many small frames"),
        pytest.param(300, id="few large frames"),
    ],
)
async def test_a_long_catch_up_waits_for_a_slow_peer(size: int) -> None:
    """Frames fill the outbox by number or by bytes: either way the sender waits and the socket stays open."""
    peer, number = Peer(), 40

    async def catch_up() -> None:
        for _ in range(number):
            await peer.socket.outbox.room()
            peer.deliver("x" * size)

    peer.stops_reading()
    task = asyncio.create_task(catch_up())
    for _ in range(20):
        await asyncio.sleep(0)
    assert not task.done()
    await peer.reads(number)
    await asyncio.wait_for(task, 5)
    assert not peer.socket.closing
    assert len(peer.texts) == number


@pytest.mark.usefixtures("small")
async def test_waiting_for_room_ends_with_the_socket() -> None:
    peer = Peer()
    peer.stops_reading()
    peer.deliver(*numbered(6))
    waiting = asyncio.create_task(peer.socket.outbox.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    peer.socket.forget()
    await asyncio.wait_for(waiting, 5)
