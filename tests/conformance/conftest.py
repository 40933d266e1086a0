"""One production server process for all cases; at the end it must be ready and hold no connection."""

import time
from collections.abc import Callable, Iterator

import pytest

from tests.harness.device import PASSWORD
from tests.harness.http import blocking_http_client
from tests.harness.raw_socket import RawSocket, connections_at
from tests.harness.servers import Server, Site
from tests.harness.services import Services
from tests.waiting import DEADLINE

SECONDS_TO_SIGN_IN = 1
LIMITS = {"auth_seconds": SECONDS_TO_SIGN_IN, "outbox_stuck_seconds": 2}
Opens = Callable[..., RawSocket]


@pytest.fixture(scope="package")
def own_site(services: Services) -> Iterator[Site]:
    """A site with one server, which must still be ready and have released every connection at the end."""
    site = Site("production", services, servers=1, limits=LIMITS)
    site.start()
    try:
        yield site
        server = site.servers[0]
        server.becomes_ready()
        until = time.monotonic() + DEADLINE
        while (open_connections := connections_at(server.port)) and time.monotonic() < until:
            time.sleep(0.1)
        assert not open_connections, f"{open_connections} connections were never released"
    finally:
        site.stop()


@pytest.fixture
def server(own_site: Site) -> Iterator[Server]:
    """The server process; the test fails if it logs a traceback."""
    with own_site.clean_logs():
        yield own_site.servers[0]


@pytest.fixture(scope="package")
def token(own_site: Site) -> str:
    """A bearer token of a registered person."""
    with blocking_http_client() as client:
        answer = client.post(
            f"{own_site.servers[0].http}/api/v1/auth/register", json={"username": "tester", "password": PASSWORD}
        )
    return str(answer.json()["token"])


@pytest.fixture
def devices(server: Server, token: str) -> list[str]:
    """Tokens of five more devices of the same person."""
    login = {"username": "tester", "password": PASSWORD}
    with blocking_http_client() as client:
        answers = [client.post(f"{server.http}/api/v1/auth/login", json=login) for _ in range(5)]
    return [answer.json()["token"] for answer in answers]


@pytest.fixture
def opens(server: Server, token: str) -> Iterator[Opens]:
    """Opens signed-in sockets: `opens()`. Each also shows that the socket before it did the server no harm."""
    opened: list[RawSocket] = []

    def open(**options: int) -> RawSocket:
        opened.append(RawSocket(server.port, **options).upgrades(token))
        return opened[-1]

    yield open
    for each in opened:
        each.__exit__()


@pytest.fixture
def socket(opens: Opens) -> RawSocket:
    """A signed-in socket."""
    return opens()
