"""Servers on loopback, and the settings with which the tests build senders."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from notifications.providers.connection import Limits
from notifications.providers.push import Push
from notifications.providers.transport import Transport
from tests.notifications.providers.certificates import client_tls, make_certificate, server_tls
from tests.notifications.providers.server import Server

Serve = Callable[..., Server]
# Short, because some tests wait until these times are over.
LIMITS = Limits(connect=10, answer=1, wait=0.2)


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def a_push(**fields: Any) -> Push:
    """A push about a message; `fields` replace its usual values."""
    usual: dict[str, Any] = {
        "id": UUID("0190f1a2-0000-7000-8000-000000000001"),
        "kind": "message",
        "token": "ab" * 32,
        "badge": 3,
        "data": {"kind": "message", "conversation_id": "c1", "message_id": "m1", "sequence": "7"},
    }
    return Push(**(usual | fields))


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"), "push.example.net")


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    """TLS of the client, which trusts the servers of the tests."""
    return client_tls(certificate)


@pytest.fixture
def serve(certificate: Path) -> Iterator[Serve]:
    servers: list[Server] = []

    def start(**options: Any) -> Server:
        servers.append(Server(server_tls(certificate), **options))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(serve: Serve) -> Server:
    return serve()


@pytest.fixture
def transport(tls: ssl.SSLContext) -> Iterator[Transport]:
    transport = Transport(tls=tls, limits=LIMITS)
    yield transport
    transport.close()
