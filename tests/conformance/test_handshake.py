"""The upgrade: which requests become a socket, and how the others are answered."""

import base64
import hashlib

import pytest

from tests.harness.raw_frames import CLOSE, TEXT, command, frame, upgrade
from tests.harness.raw_socket import RawSocket
from tests.harness.servers import Server

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def asked(server: Server, request: bytes) -> tuple[int, dict[str, str]]:
    """Return status and headers of the answer; after a refusal the server must close the connection."""
    with RawSocket(server.port) as socket:
        status, headers = socket.asks(request)
        if status != 101 and headers.get("connection") == "close":
            socket.reads_to_the_end()
        return status, headers


def test_the_accept_header_matches_the_example_of_the_standard(server: Server) -> None:
    status, headers = asked(server, upgrade(server.port, sec_websocket_key="dGhlIHNhbXBsZSBub25jZQ=="))
    assert status == 101
    assert headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert (headers["upgrade"].lower(), headers["connection"].lower()) == ("websocket", "upgrade")


def test_the_accept_header_is_computed_from_the_key(server: Server) -> None:
    key = base64.b64encode(b"x" * 16)
    status, headers = asked(server, upgrade(server.port, sec_websocket_key=key.decode()))
    assert status == 101
    assert headers["sec-websocket-accept"] == base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()  # noqa: S324


@pytest.mark.parametrize(
    "changed",
    [
        {"upgrade": "WebSocket"},
        {"upgrade": "WEBSOCKET"},
        {"connection": "keep-alive, Upgrade"},
        {"connection": "upgrade"},
        {"target": "/ws?"},
        {"target": "/ws?token=in-the-address"},
    ],
    ids=str,
)
def test_equivalent_upgrade_requests_are_accepted(server: Server, changed: dict[str, str]) -> None:
    assert asked(server, upgrade(server.port, **changed))[0] == 101


@pytest.mark.parametrize("key", [None, "", "x", "not base64 at all!", base64.b64encode(b"x" * 15).decode(), "A" * 5000])
def test_a_missing_or_invalid_key_is_refused(server: Server, key: str | None) -> None:
    assert asked(server, upgrade(server.port, sec_websocket_key=key))[0] == 400


def test_two_keys_are_refused(server: Server) -> None:
    request = upgrade(server.port).replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Key: " + b"A" * 22 + b"==\r\n\r\n")
    assert asked(server, request)[0] == 400


@pytest.mark.parametrize("version", [None, "0", "7", "8", "12", "14", "013", "13, 8", "x"])
def test_only_version_13_is_accepted(server: Server, version: str | None) -> None:
    status, headers = asked(server, upgrade(server.port, sec_websocket_version=version))
    assert status == (400 if version is None else 426)
    assert headers.get("sec-websocket-version") == (None if version is None else "13")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"])
def test_only_get_becomes_a_socket(server: Server, method: str) -> None:
    status, _ = asked(server, upgrade(server.port, method=method))
    assert 400 <= status < 500


@pytest.mark.parametrize(
    "changed",
    [
        {"upgrade": None},
        {"upgrade": "h2c"},
        {"upgrade": "websocket2"},
        {"connection": None},
        {"connection": "keep-alive"},
        {"connection": "close"},
    ],
    ids=str,
)
def test_a_request_without_a_websocket_upgrade_is_not_found(server: Server, changed: dict[str, None]) -> None:
    status, headers = asked(server, upgrade(server.port, **changed))
    assert status == 404
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("target", ["/", "/ws/", "/WS", "/ws/x", "/api/v1/users/me", "/admin/ws", "/%00", "/%FF"])
def test_an_upgrade_at_another_address_is_not_found(server: Server, target: str) -> None:
    assert asked(server, upgrade(server.port, target=target))[0] == 404


@pytest.mark.parametrize(
    "request_line",
    [
        {"target": "/ws\udcff"},
        {"target": "/ws?\udcff\udcfe"},
        {"target": "/\u00e9"},
        {"target": "/ws?" + "x" * 20_000},
        {"target": "/" + "x" * 20_000},
        {"target": "http://evil.example/ws"},
        {"target": "*"},
        {"version": "HTTP/1.0"},
        {"version": "HTTP/0.9"},
        {"version": "HTTP/2.0"},
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_strange_request_line_is_answered(server: Server, request_line: dict[str, str]) -> None:
    status, _ = asked(server, upgrade(server.port, **request_line))
    assert status == 101 or 400 <= status < 500


@pytest.mark.parametrize(
    "extra",
    [
        {f"x-{number}": "y" for number in range(127)},
        {f"x-{number}": "y" for number in range(1000)},
        {"x-long": "y" * 8_200},
        {"cookie": "sessionid=" + "y" * 20_000},
        {"x-bytes": "\udcff\udcfe"},
        {"host": "\udcff"},
        {"origin": "\udcff"},
        {"authorization": "Bearer \udcff"},
        {"authorization": "Bearer " + "x" * 5_000},
        {"content-length": "5"},
        {"transfer-encoding": "chunked"},
        {"expect": "100-continue"},
        {"sec-websocket-protocol": "\udcff, , chat"},
        {"sec-websocket-extensions": "\udcff; ; ="},
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_strange_headers_are_answered(server: Server, extra: dict[str, str]) -> None:
    status, _ = asked(server, upgrade(server.port, extra))
    assert status == 101 or 400 <= status < 500


@pytest.mark.parametrize(
    "offer", ["permessage-deflate", "permessage-deflate; client_max_window_bits", "x-webkit-deflate-frame, foo; bar=1"]
)
def test_extensions_are_declined(server: Server, offer: str) -> None:
    """Compression would double the memory of a connection, so a compressed frame is an error."""
    with RawSocket(server.port) as socket:
        status, headers = socket.asks(upgrade(server.port, {"sec-websocket-extensions": offer}))
        assert status == 101
        assert "sec-websocket-extensions" not in headers
        socket.sends(frame(TEXT, b"\xaaV*\xa9,HU\xb2R*\xc8\xccK\x07\x00", reserved=0b100))
        assert socket.ending().code == 1002


def test_subprotocols_are_declined(server: Server) -> None:
    status, headers = asked(server, upgrade(server.port, {"sec-websocket-protocol": "chat, superchat"}))
    assert status == 101
    assert "sec-websocket-protocol" not in headers


def test_an_upgrade_sent_byte_by_byte_is_accepted(server: Server) -> None:
    with RawSocket(server.port) as socket:
        request = upgrade(server.port)
        socket.sends_one_by_one([bytes([byte]) for byte in request[:-1]])
        assert socket.asks(request[-1:])[0] == 101


def test_frames_sent_before_the_upgrade_answer_are_not_read(server: Server, token: str) -> None:
    """A client must wait for the answer. Frames sent earlier are not read, so the client never signs in."""
    with RawSocket(server.port) as socket:
        hasty = frame(TEXT, command("auth", token=token)) + frame(TEXT, command("ping", id="1"))
        assert socket.asks(upgrade(server.port) + hasty)[0] == 101
        assert socket.ending().code == 4401


def test_an_upgrade_behind_unanswered_requests_is_refused(server: Server) -> None:
    """The answers to those requests would arrive where the client expects frames."""
    request = f"GET /health HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n\r\n".encode()
    for before in (request, request * 2, request * 20):
        with RawSocket(server.port) as socket:
            status, text = socket.answer_to(before + upgrade(server.port) + upgrade(server.port))
            assert status == 400
            assert " 101 " not in text


def test_an_upgrade_after_an_answered_request_is_accepted(server: Server) -> None:
    with RawSocket(server.port) as socket:
        assert socket.asks(f"HEAD /health HTTP/1.1\r\nhost: 127.0.0.1:{server.port}\r\n\r\n".encode())[0] == 200
        socket.upgrades()


@pytest.mark.parametrize("length", [0, 1, 30, 120])
def test_a_client_that_leaves_during_the_handshake_is_released(server: Server, length: int) -> None:
    with RawSocket(server.port) as socket:
        socket.sends(upgrade(server.port)[:length])
        socket.ends_its_side()
        socket.reads_to_the_end()


def test_a_client_that_leaves_right_after_the_request_is_released(server: Server, devices: list[str]) -> None:
    for device in devices * 4:
        with RawSocket(server.port) as socket:
            socket.sends(upgrade(server.port, {"authorization": f"Bearer {device}"}))


def test_noise_after_a_close_before_signing_in_is_ignored(server: Server) -> None:
    with RawSocket(server.port) as socket:
        socket.upgrades()
        socket.sends(frame(CLOSE, b"\x03\xe8") + b"\xff" * 10)
        assert socket.ending().code == 1000
