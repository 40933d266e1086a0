"""Pings, pongs, and the size of control frames."""

import pytest

from tests.harness.raw_frames import CLOSE, PING, PONG, TEXT, command, frame
from tests.harness.raw_socket import RawSocket
from tests.harness.servers import Server

PROTOCOL_ERROR = 1002


@pytest.mark.parametrize("payload", [b"", b"hello", b"\x00\xff\xfe\xfd", b"x" * 125])
def test_a_pong_carries_the_payload_of_its_ping(socket: RawSocket, payload: bytes) -> None:
    socket.sends(frame(PING, payload))
    heard = socket.hears()
    assert (heard.opcode, heard.payload) == (PONG, payload)


def test_pings_are_answered_in_their_order(socket: RawSocket) -> None:
    socket.sends(*(frame(PING, b"%d" % number) for number in range(10)))
    assert [socket.hears().payload for _ in range(10)] == [b"%d" % number for number in range(10)]


@pytest.mark.parametrize("payload", [b"", b"nobody asked", b"\xff" * 125])
def test_an_unsolicited_pong_is_ignored(socket: RawSocket, payload: bytes) -> None:
    socket.sends(frame(PONG, payload), frame(PONG, payload), frame(TEXT, command("ping", id="1")))
    assert socket.hears().body["id"] == "1"


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.parametrize("length_bytes", [2, 8])
def test_a_control_frame_over_125_bytes_is_a_protocol_error(socket: RawSocket, opcode: int, length_bytes: int) -> None:
    socket.sends(frame(opcode, b"\x03\xe8" + b"x" * 124, length_bytes=length_bytes))
    assert socket.ending().code == PROTOCOL_ERROR


def test_a_ping_before_signing_in_is_answered(server: Server) -> None:
    with RawSocket(server.port) as socket:
        socket.upgrades()
        socket.sends(frame(PING, b"who is there?"))
        assert socket.hears().payload == b"who is there?"
        assert socket.ending().code == 4401
