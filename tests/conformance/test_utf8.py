"""Text is UTF-8, wherever the parts and segments are cut."""

import pytest

from tests.harness.raw_frames import CONTINUATION, PING, TEXT, closing, command, frame
from tests.harness.raw_socket import RawSocket

INVALID_TEXT = 1007
# What a decoder that is not strict lets through, or stumbles over.
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
SIGNS = "\u00e9\u20ac\U0001f600\U0010ffff\ufffe\u0301"


@pytest.mark.parametrize("bad", NOT_UTF8, ids=lambda bad: bad.hex())
def test_what_is_not_utf8_closes(socket: RawSocket, bad: bytes) -> None:
    socket.sends(frame(TEXT, b'{"type": "ping", "id": "' + bad + b'"}'))
    end = socket.ending()
    assert end.code == INVALID_TEXT
    assert end.frames == []


@pytest.mark.parametrize("cut", range(1, 12))
def test_a_sign_may_be_cut_between_parts(socket: RawSocket, cut: int) -> None:
    text = command("ping").replace(b"}", b', "id": "' + SIGNS.encode() + b'"}')
    begin = text.index(SIGNS.encode()) + cut
    socket.sends(frame(TEXT, text[:begin], fin=False), frame(CONTINUATION, text[begin:]))
    assert socket.hears().body["id"] == SIGNS


def test_a_sign_in_single_bytes(socket: RawSocket) -> None:
    text = b'{"type": "ping", "id": "' + SIGNS.encode() + b'"}'
    parts = [frame(CONTINUATION if at else TEXT, bytes([byte]), fin=False) for at, byte in enumerate(text)]
    socket.sends(*parts, frame(CONTINUATION))
    assert socket.hears().body["id"] == SIGNS


@pytest.mark.parametrize("bad", [b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"], ids=lambda bad: bad.hex())
def test_what_is_not_utf8_closes_though_each_part_could_be(socket: RawSocket, bad: bytes) -> None:
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
    ids=["text", "ping", "close", "close without a code", "reserved"],
)
def test_whatever_lies_behind_it_in_the_segment(socket: RawSocket, behind: bytes, code: int) -> None:
    """Frames of one segment are parsed before their texts are read: a later fault or goodbye may count first."""
    socket.sends(frame(TEXT, b"\xff"), behind)
    end = socket.ending(answers_close=False)
    assert end.code == code
    assert end.types == []
