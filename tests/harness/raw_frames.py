"""What a WebSocket client writes, byte by byte, whether RFC 6455 allows it or not."""

import base64
import json
import os
import struct
from collections.abc import Mapping
from typing import Any

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_MASK = b"\x37\xfa\x21\x3d"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    reserved: int = 0,
    mask: bytes | None = _MASK,
    length_bytes: int | None = None,
    announced: int | None = None,
) -> bytes:
    """Build a frame: `reserved` are the three reserved bits, `mask` None leaves the payload as it is.

    `length_bytes` (0, 2 or 8) is the size of the length field, also if fewer bytes would do; `announced`
    is another length than that of the payload.
    """
    size = len(payload) if announced is None else announced
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 65536 else 8
    masked = 0x80 if mask is not None else 0
    first = (0x80 if fin else 0) | reserved << 4 | opcode
    match length_bytes:
        case 0:
            head = struct.pack("!BB", first, masked | size)
        case 2:
            head = struct.pack("!BBH", first, masked | 126, size)
        case _:
            head = struct.pack("!BBQ", first, masked | 127, size)
    if mask is None:
        return head + payload
    stretched = (mask * (len(payload) // 4 + 1))[: len(payload)]
    number = int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")
    return head + mask + number.to_bytes(len(payload), "big")


def command(type: str, **fields: Any) -> bytes:
    """Return the text of a command."""
    return json.dumps({"type": type} | fields).encode()


def closing(code: int | None = None, reason: bytes = b"") -> bytes:
    """Build a close frame, without a code if none is given."""
    return frame(CLOSE, (struct.pack("!H", code) if code is not None else b"") + reason)


def upgrade(
    port: int,
    extra: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    target: str = "/ws",
    version: str = "HTTP/1.1",
    **changed: str | None,
) -> bytes:
    """Build the request for a socket. `extra` headers are laid over the usual ones; so are `changed`, with `_` for `-`.

    A header of None is left out. Lone surrogates become the bytes that they stand for.
    """
    headers: dict[str, str | None] = {
        "host": f"127.0.0.1:{port}",
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-key": base64.b64encode(os.urandom(16)).decode(),
        "sec-websocket-version": "13",
    }
    headers |= extra or {}
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [f"{method} {target} {version}"]
    lines += [f"{name}: {value}" for name, value in headers.items() if value is not None]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
