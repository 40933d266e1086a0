"""How a connection ends: close codes, reasons, frames after a close, and half-closed connections."""

import pytest

from tests.harness.raw_frames import CLOSE, PING, TEXT, closing, command, frame
from tests.harness.raw_socket import RawSocket

PROTOCOL_ERROR = 1002
INVALID_TEXT = 1007
# Room for a busy machine; the server itself does not wait.
AT_ONCE = 2.0


@pytest.mark.parametrize(
    "code",
    [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4403, 4999],
)
def test_a_valid_close_code_is_echoed(socket: RawSocket, code: int) -> None:
    socket.sends(closing(code))
    end = socket.ending(answers_close=False)
    assert end.code == code
    assert end.seconds < AT_ONCE


@pytest.mark.parametrize("code", [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535])
def test_an_invalid_close_code_is_a_protocol_error(socket: RawSocket, code: int) -> None:
    socket.sends(closing(code))
    assert socket.ending().code == PROTOCOL_ERROR


def test_a_close_without_a_code_is_answered_without_one(socket: RawSocket) -> None:
    socket.sends(closing())
    assert socket.ending(answers_close=False).code == 1005


def test_a_close_code_of_one_byte_is_a_protocol_error(socket: RawSocket) -> None:
    socket.sends(frame(CLOSE, b"\x03"))
    assert socket.ending().code == PROTOCOL_ERROR


@pytest.mark.parametrize("reason", [b"bye", "\u00e9\U0001f600".encode(), b"x" * 123])
def test_a_close_reason_is_accepted(socket: RawSocket, reason: bytes) -> None:
    socket.sends(closing(1000, reason))
    assert socket.ending(answers_close=False).code == 1000


@pytest.mark.parametrize("reason", [b"\xff", b"\xed\xa0\x80", b"cut \xe2\x82"], ids=ascii)
def test_a_close_reason_that_is_not_utf8_is_refused(socket: RawSocket, reason: bytes) -> None:
    socket.sends(closing(1000, reason))
    assert socket.ending().code == INVALID_TEXT


@pytest.mark.parametrize(
    "after",
    [frame(TEXT, command("ping")), frame(PING, b"?"), closing(1001), frame(TEXT, b"\xff"), frame(0x3), b"\xff" * 300],
    ids=["text", "ping", "close", "not utf-8", "reserved", "noise"],
)
@pytest.mark.parametrize("together", [True, False])
def test_frames_after_a_close_are_ignored(socket: RawSocket, after: bytes, together: bool) -> None:
    if together:
        socket.sends(closing(1000), after)
    else:
        socket.sends(closing(1000))
        socket.sends_into_the_void(after)
    end = socket.ending(answers_close=False)
    assert end.code in (1000, None) if not together else end.code == 1000
    assert end.frames == []


def test_a_text_and_a_close_in_one_segment_close_normally(socket: RawSocket) -> None:
    socket.sends(frame(TEXT, command("ping")), closing(1000))
    end = socket.ending(answers_close=False)
    assert end.code == 1000


@pytest.mark.parametrize(
    "begun",
    [b"", b"\x81", frame(TEXT, b"x" * 100)[:50], frame(TEXT, b"x", fin=False), frame(PING, b"?" * 50)[:20]],
    ids=["between frames", "in a header", "in a payload", "between fragments", "in a ping"],
)
def test_a_half_closed_connection_is_released(socket: RawSocket, begun: bytes) -> None:
    socket.sends(begun)
    socket.ends_its_side()
    assert socket.ending(within=AT_ONCE).code in (None, 1002, 1006)


def test_the_server_hangs_up_when_its_close_is_not_answered(socket: RawSocket) -> None:
    """The server waits ten seconds for the answer, then it closes the connection."""
    socket.sends(frame(0x2, b"binary"))
    end = socket.ending(within=13, answers_close=False)
    assert end.code == 1003
    assert end.seconds < 12
