"""Text must be UTF-8, however it is divided into fragments and segments."""

import pytest

from tests.harness.raw_frames import CONTINUATION, PING, TEXT, closing, command, frame
from tests.harness.raw_socket import RawSocket

INVALID_TEXT = 1007
# Sequences that a lax decoder accepts or fails on.
NOT_UTF8 = [
    b"\x80",
    b"\xbf",
    b"\xc0\xaf",
    b"\xc1\xbf",
    b"\xe0\x80\xaf",
    b"\xf0\x80\x80\xaf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfc\x84\x80\x80\x80\x80",
    b"\xfe",
    b"\xff",
    b"\xc2",
    b"\xe2\x82",
    b"\xf0\x9f\x98",
    b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited",
]
CHARACTERS = "\u00e9\u20ac\U0001f600\U0010ffff\ufffe\u0301"


@pytest.mark.parametrize("bad", NOT_UTF8, ids=lambda bad: bad.hex())
def test_a_text_that_is_not_utf8_closes_the_socket(socket: RawSocket, bad: bytes) -> None:
    socket.sends(frame(TEXT, b'{"type": "ping", "id": "' + bad + b'"}'))
    end = socket.ending()
    assert end.code == INVALID_TEXT
    assert end.frames == []


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_character_split_between_fragments_is_accepted(socket: RawSocket, cut: int) -> None:
    text = command("ping").replace(b"}", b', "id": "' + CHARACTERS.encode() + b'"}')
    begin = text.index(CHARACTERS.encode()) + cut
    socket.sends(frame(TEXT, text[:begin], fin=False), frame(CONTINUATION, text[begin:]))
    assert socket.hears().body["id"] == CHARACTERS


def test_characters_in_fragments_of_one_byte_are_accepted(socket: RawSocket) -> None:
    text = b'{"type": "ping", "id": "' + CHARACTERS.encode() + b'"}'
    parts = [frame(CONTINUATION if at else TEXT, bytes([byte]), fin=False) for at, byte in enumerate(text)]
    socket.sends(*parts, frame(CONTINUATION))
    assert socket.hears().body["id"] == CHARACTERS


@pytest.mark.parametrize("bad", [b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"], ids=lambda bad: bad.hex())
def test_fragments_that_are_not_utf8_only_together_close_the_socket(socket: RawSocket, bad: bytes) -> None:
    text = b'{"type": "ping", "id": "' + bad[:1]
    socket.sends(frame(TEXT, text, fin=False), frame(CONTINUATION, bad[1:] + b'"}'))
    assert socket.ending().code == INVALID_TEXT


@pytest.mark.parametrize(
    ("behind", "code"),
    [
        (frame(TEXT, command("ping")), INVALID_TEXT),
        (frame(PING), INVALID_TEXT),
        (closing(1000), 1000),
        (closing(), 1005),
        (frame(0x3), 1002),
    ],
    ids=["text", "ping", "close", "close without a code", "reserved opcode"],
)
def test_a_frame_behind_invalid_utf8_may_decide_the_close_code(socket: RawSocket, behind: bytes, code: int) -> None:
    """All frames of a segment are parsed before their texts are decoded: a later error or close may win."""
    socket.sends(frame(TEXT, b"\xff"), behind)
    end = socket.ending(answers_close=False)
    assert end.code == code
    assert end.types == []
