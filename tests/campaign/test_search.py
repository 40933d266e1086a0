"""A deleted text is found wherever it is still kept, and a text that was not deleted is none."""

from pathlib import Path

import pytest

from tests.campaign.search import find_deleted
from tests.harness.services import Services

GONE = "0a1b2c3d-4e5f 17 See you at eight"
KEPT = "1a1b2c3d-4e5f 18 See you at nine"


@pytest.fixture
def database(services: Services) -> str:
    return services.fresh_database().rsplit("/", 1)[1]


def found(services: Services, database: str, file: Path) -> dict[str, str]:
    return find_deleted([GONE], services.postgresql, database, services.redis, [file])


def test_it_is_found_in_tables_keys_and_files(services: Services, database: str, tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text(f"all is well: {KEPT}\n")
    with services.postgresql.connect(database) as connection:
        connection.execute("CREATE TABLE cache_of_somebody (entry jsonb)")
        connection.execute("INSERT INTO cache_of_somebody VALUES (jsonb_build_object('text', %s::text))", [KEPT])
        services.redis._says(b'SET kept "%b"\r\n' % KEPT.encode())
        assert found(services, database, log) == {}

        connection.execute("INSERT INTO cache_of_somebody VALUES (jsonb_build_object('text', %s::text))", [GONE])
        assert found(services, database, log) == {GONE: "table cache_of_somebody"}
        connection.execute("DROP TABLE cache_of_somebody")

    services.redis._says(b'SET lingering "%b"\r\n' % GONE.encode())
    assert found(services, database, log) == {GONE: "Redis key b'lingering'"}
    services.redis._says(b"DEL lingering kept\r\n")

    log.write_text(f"could not send {GONE!r}\n")
    assert found(services, database, log) == {GONE: "server.log"}
