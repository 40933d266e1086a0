"""Reserved bits and opcodes, masks, lengths, and the division of frames into segments."""

import pytest

from tests.harness.raw_frames import BINARY, CLOSE, PING, PONG, TEXT, command, frame
from tests.harness.raw_socket import RawSocket

PROTOCOL_ERROR = 1002
UNSUPPORTED_DATA = 1003
TOO_BIG = 1009
PONG_COMMAND = command("ping", id="1")


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
@pytest.mark.parametrize("reserved", [0b100, 0b010, 0b001, 0b111])
def test_reserved_bits_are_a_protocol_error(socket: RawSocket, opcode: int, reserved: int) -> None:
    socket.sends(frame(opcode, reserved=reserved))
    assert socket.ending().code == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF])
@pytest.mark.parametrize("payload", [b"", b"x"])
def test_reserved_opcodes_are_a_protocol_error(socket: RawSocket, opcode: int, payload: bytes) -> None:
    socket.sends(frame(opcode, payload))
    assert socket.ending().code == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
@pytest.mark.parametrize("payload", [b"", PONG_COMMAND])
def test_frames_without_a_mask_are_a_protocol_error(socket: RawSocket, opcode: int, payload: bytes) -> None:
    socket.sends(frame(opcode, payload, mask=None))
    end = socket.ending()
    assert end.code == PROTOCOL_ERROR
    assert end.frames == []


@pytest.mark.parametrize("mask", [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x00\x01\x02\x03"])
def test_any_mask_is_accepted(socket: RawSocket, mask: bytes) -> None:
    socket.sends(frame(TEXT, PONG_COMMAND, mask=mask))
    assert socket.hears().body["type"] == "pong"


@pytest.mark.parametrize("length_bytes", [2, 8])
def test_a_length_in_more_bytes_than_needed_is_accepted(socket: RawSocket, length_bytes: int) -> None:
    """RFC 6455 requires the fewest bytes. The server accepts more, and reads the next frame correctly."""
    socket.sends(frame(TEXT, PONG_COMMAND, length_bytes=length_bytes), frame(TEXT, PONG_COMMAND))
    assert [socket.hears().body["type"] for _ in range(2)] == ["pong", "pong"]


@pytest.mark.parametrize("size", [125, 126, 127, 128, 65535, 65536])
def test_texts_around_each_length_boundary_are_accepted(socket: RawSocket, size: int) -> None:
    socket.sends(frame(TEXT, PONG_COMMAND + b" " * (size - len(PONG_COMMAND))))
    assert socket.hears().body["type"] == "pong"


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("announced", [65537, 2**31, 2**32, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
def test_a_too_large_length_is_refused_before_the_payload(socket: RawSocket, opcode: int, announced: int) -> None:
    socket.sends(frame(opcode, announced=announced, length_bytes=8))
    end = socket.ending()
    assert end.code == TOO_BIG
    assert end.seconds < 2


def test_frames_sent_byte_by_byte_are_answered(socket: RawSocket) -> None:
    whole = frame(TEXT, PONG_COMMAND) + frame(PING, b"here?") + frame(TEXT, PONG_COMMAND, length_bytes=8)
    socket.sends_one_by_one([bytes([byte]) for byte in whole], pause=0.0005)
    heard = [socket.hears() for _ in range(3)]
    assert sorted(each.opcode for each in heard) == [TEXT, TEXT, PONG]


def test_many_frames_in_one_segment_are_answered_in_order(socket: RawSocket) -> None:
    """Each frame is answered once; the texts are answered in order."""
    texts = [frame(TEXT, command("ping", id=str(number))) for number in range(150)]
    socket.sends(*texts, frame(PING, b"last"))
    heard = [socket.hears() for _ in range(151)]
    assert [each.body["id"] for each in heard if each.opcode == TEXT] == [str(number) for number in range(150)]
    assert [each.payload for each in heard if each.opcode == PONG] == [b"last"]


@pytest.mark.parametrize("good", [0, 1, 30])
def test_a_broken_frame_after_good_ones_is_a_protocol_error(socket: RawSocket, good: int) -> None:
    socket.sends(*[frame(TEXT, PONG_COMMAND)] * good, frame(0x3))
    end = socket.ending()
    assert end.code == PROTOCOL_ERROR
    assert set(end.types) <= {"pong"}


@pytest.mark.parametrize("payload", [b"", b"\x00", PONG_COMMAND, b"x" * 65536])
def test_binary_frames_are_refused(socket: RawSocket, payload: bytes) -> None:
    socket.sends(frame(BINARY, payload))
    assert socket.ending().code == UNSUPPORTED_DATA


def test_random_bytes_end_in_a_close_frame(socket: RawSocket) -> None:
    socket.sends(b"GET / HTTP/1.1\r\nHost: evil\r\n\r\n")
    assert socket.ending().code == PROTOCOL_ERROR
