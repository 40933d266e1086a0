"""GOAWAY is removed from the stream of frames, however the frames are split."""

import httpcore
import pytest

from notifications.providers.line import Frames
from tests.notifications.providers.server import goaway


def frame(kind: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, 0]) + (1).to_bytes(4, "big") + payload


@pytest.mark.parametrize("size", [1, 2, 8, 9, 10, 64, 10_000])
def test_all_other_frames_pass_unchanged(size: int) -> None:
    others = [frame(4, b""), frame(1, b"headers"), frame(0, bytes(range(256)) * 5), frame(7 + 1, b"\0\0\0\1")]
    sent = others[0] + goaway(5) + others[1] + others[2] + goaway(3) + others[3]
    frames = Frames()
    passed = b"".join(frames.without_goaway(sent[at : at + size]) for at in range(0, len(sent), size))
    assert passed == b"".join(others)
    assert frames.last_stream == 3, "the last GOAWAY counts"


def test_the_beginning_of_a_frame_is_not_buffered() -> None:
    whole = frame(0, b"x" * 100)
    assert Frames().without_goaway(whole[:50]) == whole[:50]


@pytest.mark.parametrize("length", [0, 7, 2**24 - 1])
def test_a_goaway_of_invalid_length_is_an_error(length: int) -> None:
    with pytest.raises(httpcore.ReadError):
        Frames().without_goaway(length.to_bytes(3, "big") + b"\x07\x00" + bytes(4))
