"""Messages in parts."""

import pytest

from tests.harness.raw_frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, command, frame
from tests.harness.raw_socket import RawSocket

PROTOCOL_ERROR = 1002
UNSUPPORTED_DATA = 1003
TOO_BIG = 1009
MOST_PARTS = 128
PING_COMMAND = command("ping", id="1")


def in_parts(text: bytes, *sizes: int, opcode: int = TEXT) -> list[bytes]:
    """Return a message as frames whose payloads have these sizes; the last has the rest."""
    frames, rest = [], text
    for size in sizes:
        part, rest = rest[:size], rest[size:]
        frames.append(frame(opcode if not frames else CONTINUATION, part, fin=False))
    return [*frames, frame(CONTINUATION, rest)]


@pytest.mark.parametrize("sizes", [(5,), (0,), (0, 0, 0), (1,) * 15, (3, 0, 3, 0), (len(PING_COMMAND),)], ids=str)
def test_a_text_in_parts_is_one_text(socket: RawSocket, sizes: tuple[int, ...]) -> None:
    socket.sends(*in_parts(PING_COMMAND, *sizes))
    assert socket.hears().body["id"] == "1"
    assert socket.answers().body["type"] == "pong"


def test_parts_in_segments_of_their_own(socket: RawSocket) -> None:
    socket.sends_one_by_one(in_parts(PING_COMMAND, 1, 2, 3, 4), pause=0.005)
    assert socket.hears().body["type"] == "pong"


def test_an_empty_text_in_parts_is_a_bad_command_like_any_empty_text(socket: RawSocket) -> None:
    socket.sends(*in_parts(b"", 0, 0))
    assert socket.hears().body["code"] == "malformed"
    assert socket.answers().body["type"] == "pong"


def test_control_frames_between_parts_are_answered_at_once(socket: RawSocket) -> None:
    first, second, last = in_parts(PING_COMMAND, 4, 4)
    socket.sends(first, frame(PING, b"one"), frame(PONG, b"nobody asked"))
    assert socket.hears().payload == b"one"
    socket.sends(second, frame(PING, b"two"))
    assert socket.hears().payload == b"two"
    socket.sends(last)
    assert socket.hears().body["type"] == "pong"


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
@pytest.mark.parametrize("inside", [False, True])
def test_control_frames_in_parts_are_an_error(socket: RawSocket, opcode: int, inside: bool) -> None:
    before = in_parts(PING_COMMAND, 4)[:1] if inside else []
    socket.sends(*before, frame(opcode, b"", fin=False), frame(CONTINUATION, b""))
    assert socket.ending().code == PROTOCOL_ERROR


@pytest.mark.parametrize("fin", [False, True])
@pytest.mark.parametrize("payload", [b"", PING_COMMAND])
def test_a_continuation_of_nothing_is_an_error(socket: RawSocket, fin: bool, payload: bytes) -> None:
    socket.sends(frame(CONTINUATION, payload, fin=fin))
    assert socket.ending().code == PROTOCOL_ERROR


def test_a_continuation_of_what_has_ended_is_an_error(socket: RawSocket) -> None:
    socket.sends(*in_parts(PING_COMMAND, 4), frame(CONTINUATION, b"more"))
    assert socket.ending().code == PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [False, True])
def test_a_new_message_inside_another_is_an_error(socket: RawSocket, opcode: int, fin: bool) -> None:
    socket.sends(in_parts(PING_COMMAND, 4)[0], frame(opcode, PING_COMMAND, fin=fin))
    assert socket.ending().code == PROTOCOL_ERROR


def test_reserved_bits_of_a_continuation_are_an_error(socket: RawSocket) -> None:
    socket.sends(in_parts(PING_COMMAND, 4)[0], frame(CONTINUATION, b"", reserved=0b100))
    assert socket.ending().code == PROTOCOL_ERROR


def test_a_binary_message_in_parts_is_not_spoken_here(socket: RawSocket) -> None:
    socket.sends(*in_parts(PING_COMMAND, 4, opcode=BINARY))
    assert socket.ending().code == UNSUPPORTED_DATA


def test_parts_that_are_too_much_together_are_refused(socket: RawSocket) -> None:
    half = b" " * 32_768
    socket.sends(frame(TEXT, half, fin=False), frame(CONTINUATION, half, fin=False), frame(CONTINUATION, b" "))
    assert socket.ending().code == TOO_BIG


def test_parts_up_to_the_limit_are_taken(socket: RawSocket) -> None:
    padded = PING_COMMAND + b" " * (65_536 - len(PING_COMMAND))
    socket.sends(*in_parts(padded, 30_000, 30_000))
    assert socket.hears().body["type"] == "pong"


def test_parts_without_number_are_refused(socket: RawSocket) -> None:
    socket.sends(*in_parts(PING_COMMAND + b" " * MOST_PARTS, *([1] * (MOST_PARTS - 1))))
    assert socket.hears().body["type"] == "pong"
    socket.sends(frame(TEXT, b"{", fin=False), *([frame(CONTINUATION, b" ", fin=False)] * MOST_PARTS))
    assert socket.ending().code == TOO_BIG


def test_who_begins_a_message_and_goes_leaves_nothing_behind(socket: RawSocket) -> None:
    socket.sends(frame(TEXT, b"to be continued", fin=False), frame(CLOSE, b"\x03\xe8"))
    assert socket.ending().code in (1000, PROTOCOL_ERROR)
