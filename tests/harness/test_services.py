"""Private services are private and durable, and end with the process that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.harness.processes import Program, free_port, temporary_folder
from tests.harness.product import PROJECT, SETTINGS, bare_environment
from tests.harness.redis import Redis
from tests.harness.servers import PROFILES, Profile, Site
from tests.harness.services import Services
from tests.waiting import DEADLINE


def test_postgresql_is_as_durable_as_the_product_demands(services: Services) -> None:
    with services.postgresql.connect() as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)


def test_postgresql_asks_for_its_password(services: Services) -> None:
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(services.postgresql.url("postgres").replace(services.postgresql.password, "guess"))


def test_the_settings_of_this_run_point_at_private_services_only(services: Services) -> None:
    assert str(services.postgresql.port) in os.environ["DATABASE_URL"]
    assert str(services.redis.port) in os.environ["REDIS_URL"]
    assert str(services.redis.port) in os.environ["CELERY_BROKER_URL"]
    assert {services.postgresql.port, services.redis.port}.isdisjoint({5432, 6379, 5672})


def test_no_setting_of_the_developer_reaches_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody:secret@db.example/production")
    assert "DATABASE_URL" not in bare_environment()
    assert bare_environment().keys().isdisjoint(SETTINGS)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_site_names_its_stores_so_that_no_env_file_can(services: Services, profile: Profile) -> None:
    site = Site(profile, services)
    try:
        assert {"DATABASE_URL", "REDIS_URL", "CELERY_BROKER_URL", "DATA_DIR"} <= site.environment.keys()
        assert (
            str(site.folder if profile == "embedded" else services.postgresql.port) in site.environment["DATABASE_URL"]
        )
    finally:
        site.stop()


def test_the_settings_are_found_in_the_products_source() -> None:
    assert {
        "ALLOWED_HOSTS",
        "CELERY_BROKER_URL",
        "CHATSITE_CRASH_POINT",
        "CHATSITE_LIMITS",
        "CHATSITE_PROFILE",
        "CHATSITE_ROLE",
        "CHATSITE_TESTING",
        "DATABASE_URL",
        "DATA_DIR",
        "DEBUG",
        "HOST",
        "PORT",
        "REDIS_URL",
        "SECRET_KEY",
    } <= SETTINGS


def test_a_fresh_database_has_tables_and_no_rows(services: Services) -> None:
    address = services.fresh_database()
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT count(*) FROM accounts_user").fetchone() == (0,)
        connection.execute("CREATE TABLE mine (id int)")
    with psycopg.connect(services.fresh_database()) as connection:
        assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_redis_forgets_and_comes_back_on_its_port() -> None:
    redis = Redis()
    redis.start()
    try:
        port = redis.port
        assert redis._says(b"SET a 1\r\n") == b"+OK\r\n"
        redis.kill()
        with pytest.raises(OSError):
            redis._says(b"PING\r\n")
        redis.start()
        assert redis.port == port
        assert redis._says(b"GET a\r\n") == b"$-1\r\n"
        assert redis._says(b"SET a 1\r\n") == b"+OK\r\n"
        redis.flush()
        assert redis._says(b"GET a\r\n") == b"$-1\r\n"
    finally:
        redis.stop()


def test_a_frozen_redis_answers_nothing_until_it_thaws() -> None:
    redis = Redis()
    redis.start()
    try:
        redis.program.freeze()
        with pytest.raises(TimeoutError):
            ask(redis)
        redis.program.thaw()
        assert ask(redis) == b"+PONG\r\n"
    finally:
        redis.stop()


def ask(redis: Redis) -> bytes:
    import socket

    with socket.create_connection(("127.0.0.1", redis.port), timeout=0.5) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(64)


def test_a_program_that_ignores_sigterm_is_killed_and_reported(tmp_path: Path) -> None:
    stubborn = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    )
    program = Program([sys.executable, "-c", stubborn], log=tmp_path / "log")
    program.start()
    wait_for(lambda: "up" in (tmp_path / "log").read_text())
    with pytest.raises(TimeoutError):
        program.stop(timeout=0.2)
    assert program.exit_code == -signal.SIGKILL


def test_the_children_of_a_program_end_with_it(tmp_path: Path) -> None:
    parent = "import subprocess, time; print(subprocess.Popen(['sleep', '60']).pid, flush=True); time.sleep(60)"
    program = Program([sys.executable, "-c", parent], log=tmp_path / "log")
    program.start()
    wait_for(lambda: (tmp_path / "log").read_text().endswith("\n"))
    child = int((tmp_path / "log").read_text())
    program.stop()
    wait_for(lambda: not is_alive(child))


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_run_that_ends_in_any_way_leaves_nothing_behind(end: int, tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from tests.harness.processes import Program, temporary_folder
folder = temporary_folder("left")
program = Program(["sleep", "60"], log=folder / "log")
program.start()
print(program.pid, folder, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdout is not None
        pid, folder = run.stdout.readline().split()
        assert is_alive(int(pid))
        assert Path(folder).is_dir()
        run.send_signal(end)
    wait_for(lambda: not is_alive(int(pid)))
    wait_for(lambda: not Path(folder).exists())


def test_free_ports_lie_below_those_of_outgoing_connections() -> None:
    assert all(18000 <= free_port() <= 32000 for _ in range(20))


def test_a_temporary_folder_is_private() -> None:
    assert temporary_folder("mine").stat().st_mode & 0o077 == 0


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for(condition, *, timeout: float = DEADLINE) -> None:
    until = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.02)
