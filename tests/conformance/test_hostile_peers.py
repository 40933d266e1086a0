"""Hostile clients that send valid frames: floods, and connections that are never read."""

import time

import pytest

from tests.conformance.conftest import Opens
from tests.harness.http import blocking_http_client
from tests.harness.raw_frames import BINARY, CONTINUATION, PING, PONG, TEXT, closing, command, frame
from tests.harness.raw_socket import RawSocket, connections_at
from tests.harness.servers import Server
from tests.waiting import DEADLINE

TOO_FAST = 4429
TOO_BIG = 1009
# A tenth of the memory that a flood of this size would take if it were buffered.
MEGABYTES_OF_A_FLOOD = 10
SMALL = 4096  # bytes of a client's receive buffer: small, so that the connection is full soon
# Less than the ten seconds after which a server that waits for the answer to its close hangs up.
AT_ONCE = 8.0
LARGEST_PING = frame(PING, b"x" * 125)


@pytest.mark.parametrize("flood", [frame(PING), frame(PONG), LARGEST_PING], ids=["pings", "pongs", "large pings"])
def test_a_flood_of_control_frames_closes_the_socket(socket: RawSocket, flood: bytes) -> None:
    socket.sends_for(1.0, flood * 500)
    assert socket.ending().code in (TOO_FAST, None)  # the close frame may be lost with the unread bytes


def test_control_frames_at_a_usual_rate_are_accepted(socket: RawSocket) -> None:
    for number in range(150):
        socket.sends(frame(PING, b"%d" % number))
        assert socket.hears().payload == b"%d" % number
    assert socket.answers().body["type"] == "pong"


@pytest.mark.parametrize("flood", [frame(PING), frame(TEXT), LARGEST_PING], ids=["pings", "texts", "large pings"])
def test_a_flood_that_goes_on_after_the_close_is_cut_off(socket: RawSocket, flood: bytes) -> None:
    socket.sends(frame(BINARY))
    begun = time.monotonic()
    socket.sends_for(AT_ONCE, flood * 500)
    assert time.monotonic() - begun < AT_ONCE, "the server went on reading after its close"


@pytest.mark.parametrize("part", [b"", b"x"], ids=["empty", "one byte"])
def test_a_message_in_endless_fragments_is_refused(socket: RawSocket, part: bytes) -> None:
    socket.sends(frame(TEXT, part, fin=False))
    socket.sends_for(1.0, frame(CONTINUATION, part, fin=False) * 200)
    assert socket.ending().code in (TOO_BIG, None)


def test_pongs_to_a_client_that_never_reads_take_little_memory(opens: Opens, server: Server) -> None:
    before = server.resident_megabytes()
    sockets = [opens(receive_buffer=SMALL) for _ in range(3)]
    for each in sockets:
        each.sends_for(1.0, LARGEST_PING * 100)
    assert server.resident_megabytes() - before < MEGABYTES_OF_A_FLOOD


@pytest.fixture
def heavy_history(server: Server, token: str) -> str:
    """A conversation whose catch-up is about 100 KiB."""
    headers = {"Authorization": f"Bearer {token}"}
    with blocking_http_client(base_url=f"{server.http}/api/v1", headers=headers) as rest:
        group = rest.post("/conversations", json={"type": "group", "participant_ids": []}).json()["id"]
        for _ in range(3):
            sent = rest.post("/messages", json={"conversation_id": group, "content": "\U0001f600" * 9_000})
            assert sent.status_code == 201
    return str(group)


def fill_the_connection(socket: RawSocket, conversation_id: str) -> None:
    """Make the server send more than the kernel buffers, and read none of it."""
    catching_up = frame(TEXT, command("sync", cursors={conversation_id: 1}))
    socket.sends(catching_up * 20)
    before = -1
    while (waiting := socket.bytes_waiting_at_the_server()) > before:
        before = waiting
        socket.sends(catching_up)
        time.sleep(0.1)


def test_a_client_that_leaves_without_reading_is_released(
    server: Server, devices: list[str], heavy_history: str
) -> None:
    """Each leaves differently: a close, a broken frame, invalid UTF-8, a half-closed connection, or nothing at all."""
    before = connections_at(server.port)
    last_frames = [closing(1000), frame(0x3), frame(TEXT, b"\xff")]
    sockets = [RawSocket(server.port, receive_buffer=SMALL).upgrades(device) for device in devices]
    for each in sockets:
        fill_the_connection(each, heavy_history)
    for each, last in zip(sockets, last_frames, strict=False):
        each.sends_into_the_void(last)
    sockets[3].ends_its_side()
    until = time.monotonic() + DEADLINE
    while connections_at(server.port) > before:
        assert time.monotonic() < until, "the server did not release a connection"
        time.sleep(0.05)
    for each in sockets:
        each.__exit__()
