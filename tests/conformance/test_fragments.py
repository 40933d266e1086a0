"""Fragmented messages."""

import pytest

from tests.harness.raw_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, command, frame
from tests.harness.raw_socket import RawSocket

PROTOCOL_ERROR = 1002
UNSUPPORTED_DATA = 1003
TOO_BIG = 1009
MOST_FRAGMENTS = 128
PING_COMMAND = command("ping", id="1")


def fragmented(text: bytes, *sizes: int, opcode: int = TEXT) -> list[bytes]:
    """Return a message as frames with payloads of these sizes; one more frame has the rest."""
    frames, rest = [], text
    for size in sizes:
        part, rest = rest[:size], rest[size:]
        frames.append(frame(opcode if not frames else CONTINUATION, part, fin=False))
    return [*frames, frame(CONTINUATION, rest)]


@pytest.mark.parametrize("sizes", [(5,), (0,), (0, 0, 0), (1,) * 15, (3, 0, 3, 0), (len(PING_COMMAND),)], ids=str)
def test_a_fragmented_text_is_one_text(socket: RawSocket, sizes: tuple[int, ...]) -> None:
    socket.sends(*fragmented(PING_COMMAND, *sizes))
    assert socket.hears().body["id"] == "1"
    assert socket.answers().body["type"] == "pong"


def test_fragments_in_separate_segments_are_one_text(socket: RawSocket) -> None:
    socket.sends_one_by_one(fragmented(PING_COMMAND, 1, 2, 3, 4), pause=0.005)
    assert socket.hears().body["type"] == "pong"


def test_an_empty_fragmented_text_is_malformed(socket: RawSocket) -> None:
    socket.sends(*fragmented(b"", 0, 0))
    assert socket.hears().body["code"] == "malformed"
    assert socket.answers().body["type"] == "pong"


def test_control_frames_between_fragments_are_answered_at_once(socket: RawSocket) -> None:
    first, second, last = fragmented(PING_COMMAND, 4, 4)
    socket.sends(first, frame(PING, b"one"), frame(PONG, b"nobody asked"))
    assert socket.hears().payload == b"one"
    socket.sends(second, frame(PING, b"two"))
    assert socket.hears().payload == b"two"
    socket.sends(last)
    assert socket.hears().body["type"] == "pong"


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.parametrize("inside", [False, True])
def test_a_fragmented_control_frame_is_a_protocol_error(socket: RawSocket, opcode: int, inside: bool) -> None:
    before = fragmented(PING_COMMAND, 4)[:1] if inside else []
    socket.sends(*before, frame(opcode, b"", fin=False), frame(CONTINUATION, b""))
    assert socket.ending().code == PROTOCOL_ERROR


@pytest.mark.parametrize("fin", [False, True])
@pytest.mark.parametrize("payload", [b"", PING_COMMAND])
def test_a_continuation_without_a_beginning_is_a_protocol_error(socket: RawSocket, fin: bool, payload: bytes) -> None:
    socket.sends(frame(CONTINUATION, payload, fin=fin))
    assert socket.ending().code == PROTOCOL_ERROR


def test_a_continuation_after_the_last_fragment_is_a_protocol_error(socket: RawSocket) -> None:
    socket.sends(*fragmented(PING_COMMAND, 4), frame(CONTINUATION, b"more"))
    assert socket.ending().code == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [False, True])
def test_a_new_message_inside_a_fragmented_one_is_a_protocol_error(socket: RawSocket, opcode: int, fin: bool) -> None:
    socket.sends(fragmented(PING_COMMAND, 4)[0], frame(opcode, PING_COMMAND, fin=fin))
    assert socket.ending().code == PROTOCOL_ERROR


def test_reserved_bits_in_a_continuation_are_a_protocol_error(socket: RawSocket) -> None:
    socket.sends(fragmented(PING_COMMAND, 4)[0], frame(CONTINUATION, b"", reserved=0b100))
    assert socket.ending().code == PROTOCOL_ERROR


def test_a_fragmented_binary_message_is_refused(socket: RawSocket) -> None:
    socket.sends(*fragmented(PING_COMMAND, 4, opcode=BINARY))
    assert socket.ending().code == UNSUPPORTED_DATA


def test_fragments_that_exceed_the_limit_together_are_refused(socket: RawSocket) -> None:
    half = b" " * 32_768
    socket.sends(frame(TEXT, half, fin=False), frame(CONTINUATION, half, fin=False), frame(CONTINUATION, b" "))
    assert socket.ending().code == TOO_BIG


def test_fragments_up_to_the_limit_are_accepted(socket: RawSocket) -> None:
    padded = PING_COMMAND + b" " * (65_536 - len(PING_COMMAND))
    socket.sends(*fragmented(padded, 30_000, 30_000))
    assert socket.hears().body["type"] == "pong"


def test_too_many_fragments_are_refused(socket: RawSocket) -> None:
    socket.sends(*fragmented(PING_COMMAND + b" " * MOST_FRAGMENTS, *([1] * (MOST_FRAGMENTS - 1))))
    assert socket.hears().body["type"] == "pong"
    socket.sends(frame(TEXT, b"{", fin=False), *([frame(CONTINUATION, b" ", fin=False)] * MOST_FRAGMENTS))
    assert socket.ending().code == TOO_BIG


def test_a_close_inside_a_fragmented_message_ends_the_socket(socket: RawSocket) -> None:
    socket.sends(frame(TEXT, b"to be continued", fin=False), frame(CLOSE, b"\x03\xe8"))
    assert socket.ending().code in (1000, PROTOCOL_ERROR)
