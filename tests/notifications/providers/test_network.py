"""A name is resolved once, all its addresses are checked, and only a checked address is dialled."""

import socket
import threading
import time
from collections.abc import Iterator
from ssl import SSLContext

import httpcore
import pytest

from notifications.providers import network
from notifications.providers.addresses import UnsafeAddress, Url, service_url
from notifications.providers.connection import Limits
from notifications.providers.network import Network, PublicNetwork
from notifications.providers.transport import Transport, Unreachable
from tests.notifications.providers.server import Say, Server


class Names:
    """A resolver that gives its answers one after another and then repeats the last."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """The addresses that were dialled; every dial is refused."""
    calls: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        calls.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    return calls


def test_public_addresses_are_dialled_in_turn(dialled: list[tuple[str, int]]) -> None:
    names = Names(["2a00:1450::1", "8.8.8.8"])
    with pytest.raises(httpcore.ConnectError):
        PublicNetwork(resolve=names).connect_tcp("push.example.net", 443, 5)
    assert dialled == [("2a00:1450::1", 443), ("8.8.8.8", 443)]
    assert names.asked == ["push.example.net"], "resolved once"


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "::1"], ["::ffff:192.168.0.1"], ["fe80::1%eth0"]],
)
def test_one_private_address_refuses_the_name(addresses: list[str], dialled: list[tuple[str, int]]) -> None:
    with pytest.raises(UnsafeAddress):
        PublicNetwork(resolve=Names(addresses)).connect_tcp("push.example.net", 443, 5)
    assert not dialled


def test_a_rebound_name_is_checked_at_each_connection(dialled: list[tuple[str, int]]) -> None:
    names = Names(["8.8.8.8"], ["127.0.0.1"])
    guard = PublicNetwork(resolve=names)
    with pytest.raises(httpcore.ConnectError):
        guard.connect_tcp("rebinding.example.net", 443, 5)
    assert (dialled, names.asked) == ([("8.8.8.8", 443)], ["rebinding.example.net"])
    with pytest.raises(UnsafeAddress):
        guard.connect_tcp("rebinding.example.net", 443, 5)
    assert len(dialled) == 1


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "localhost"])
def test_odd_forms_of_addresses_are_checked_after_resolving(host: str, dialled: list[tuple[str, int]]) -> None:
    with pytest.raises(UnsafeAddress):
        PublicNetwork().connect_tcp(host, 443, 5)
    assert not dialled


def test_the_checked_address_is_dialled_and_the_name_verified(server: Server, tls: SSLContext) -> None:
    # The name does not exist, so a second lookup would fail. The certificate is still checked against the name.
    authority = f"push.example.net:{server.port}"
    transport = Transport(network=PublicNetwork(allowed={authority}, resolve=Names(["127.0.0.1"])), tls=tls)
    assert transport.post(service_url(f"https://{authority}/x"), {}, b"").status == 200
    assert server.asked[0].headers[":authority"] == authority
    other = Transport(network=Network(resolve=Names(["127.0.0.1"])), tls=tls)
    with pytest.raises(Unreachable, match="certificate"):
        other.post(service_url(f"https://other.example.net:{server.port}/x"), {}, b"")
    transport.close()


def test_an_allowed_host_is_dialled_on_its_port_only(server: Server, tls: SSLContext) -> None:
    guard = PublicNetwork(allowed={f"localhost:{server.port + 1}"})
    transport = Transport(network=guard, tls=tls)
    with pytest.raises(UnsafeAddress):
        transport.post(service_url(f"{server.url}/x"), {}, b"")
    assert server.connections == 0


def test_a_redirect_into_a_private_network_is_not_followed(server: Server, tls: SSLContext) -> None:
    server.answer = lambda asked: Say(302, {"location": "https://169.254.169.254/"})
    transport = Transport(network=PublicNetwork(allowed={f"localhost:{server.port}"}), tls=tls)
    assert transport.post(service_url(f"{server.url}/x"), {}, b"").status == 302
    assert len(server.asked) == 1
    transport.close()


# --- Time limits ------------------------------------------------------------------------------


@pytest.fixture
def hanging() -> Iterator[threading.Event]:
    """An event until which lookups hang."""
    event = threading.Event()
    yield event
    event.set()


def test_a_hanging_lookup_is_given_up(hanging: threading.Event) -> None:
    def resolve(host: str, port: int) -> list[str]:
        hanging.wait(10)
        return ["8.8.8.8"]

    began = time.monotonic()
    with pytest.raises(httpcore.ConnectTimeout):
        Network(resolve=resolve).connect_tcp("slow.example.net", 443, 0.1)
    assert time.monotonic() - began < 4


def test_hanging_lookups_are_limited(hanging: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "MOST_LOOKUPS", 2)
    begun: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        begun.append(host)
        hanging.wait(10)
        return []

    slow = Network(resolve=resolve)
    for _ in range(4):
        with pytest.raises(httpcore.ConnectTimeout):
            slow.connect_tcp("slow.example.net", 443, 0.05)
    assert len(begun) == 2


def test_an_unknown_name_means_no_connection(tls: SSLContext) -> None:
    def resolve(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    with pytest.raises(Unreachable, match="no connection"):
        Transport(network=Network(resolve=resolve), tls=tls).post(Url("gone.example.net", 443, "/"), {}, b"")


def test_a_lookup_without_a_free_thread_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "MOST_LOOKUPS", 1)
    crowded = Network(resolve=Names(["192.0.2.1"]))

    def start(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        for _ in range(2):
            with pytest.raises(httpcore.ConnectError):
                crowded.connect_tcp("push.example.net", 443, 0.2)


def test_a_silent_address_leaves_time_for_the_next_one(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.create_connection
    seconds: list[float] = []

    def connect(address: tuple[str, int], timeout: float, **options: object) -> socket.socket:
        if address[0] != "127.0.0.1":
            seconds.append(timeout)
            raise TimeoutError
        return real(address, timeout)

    monkeypatch.setattr(socket, "create_connection", connect)
    names = Names(["192.0.2.1", "127.0.0.1"])
    Network(resolve=names).connect_tcp("localhost", server.port, 4).close()
    assert seconds == [pytest.approx(2, abs=0.2)]


def test_the_time_limit_applies_to_the_tls_handshake(tls: SSLContext) -> None:
    # A listener that accepts nothing, so the TLS handshake never starts.
    listener = socket.create_server(("127.0.0.1", 0))
    transport = Transport(tls=tls, limits=Limits(connect=0.2))
    began = time.monotonic()
    with pytest.raises(Unreachable, match="no connection in time"):
        transport.post(service_url(f"https://localhost:{listener.getsockname()[1]}/"), {}, b"")
    assert time.monotonic() - began < 4
    listener.close()
