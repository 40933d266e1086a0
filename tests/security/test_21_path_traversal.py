"""21: no path reaches files outside of the served ones: not the code, the database or the secret key."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.raw_socket import RawSocket
from tests.harness.servers import Site

CANARY = "canary-beside-the-database"
UP = [
    "../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%5c", "..\\", "%252e%252e%252f", "..%c0%af", "....//", "..;/", "/",
    "%2f", ".%00./", "..%00/", "%uff0e%uff0e/", "//",
]  # fmt: skip
WANTED = ["secret_key", "chatsite.sqlite3", "canary.txt", "manage.py", "chatsite/settings.py", "etc/passwd"]
BEGINNINGS = ["/static/", "/static/js/", "/", "/admin/", "/api/v1/", "/api/v1/schema/", "/static/admin/css/"]


@pytest.fixture
def embedded(shared_sites: Callable[[str], Site]) -> Iterator[Site]:
    site = shared_sites("embedded")
    canary = Path(site.environment["DATA_DIR"]) / "canary.txt"
    canary.write_text(CANARY)
    with site.clean_logs():
        yield site
    canary.unlink()


def answer_to(site: Site, path: str) -> tuple[int, str]:
    with RawSocket(site.servers[0].port) as socket:
        return socket.answer_to(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode("latin-1")
        )


def secrets_of(site: Site) -> list[str]:
    return [
        CANARY,
        site.environment["SECRET_KEY"],
        "SQLite format 3",
        "MIDDLEWARE = [",
        "execute_from_command",
        "root:x:0",
    ]


@pytest.mark.parametrize("beginning", BEGINNINGS)
@pytest.mark.parametrize("up", UP)
def test_no_path_returns_a_file_from_outside(embedded: Site, beginning: str, up: str) -> None:
    data = embedded.environment["DATA_DIR"].strip("/")
    for wanted in WANTED:
        for path in (beginning + up * depth + target for depth in (1, 4) for target in (wanted, f"{data}/{wanted}")):
            status, answer = answer_to(embedded, path)
            assert status == 0 or 300 <= status < 500, f"{path}: {status}"
            assert not [secret for secret in secrets_of(embedded) if secret in answer], path


@pytest.mark.parametrize(
    "path", ["/var/secret_key", "/.env", "/.git/config", "/chatsite/settings.py", "/static/", "/media/"]
)
def test_files_beside_the_served_ones_are_not_found(embedded: Site, path: str) -> None:
    assert answer_to(embedded, path)[0] == 404


def test_a_static_file_is_served(embedded: Site) -> None:
    status, answer = answer_to(embedded, "/static/js/app.js")
    assert status == 200
    assert "import" in answer
