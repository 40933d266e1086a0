"""Limits, the stored secret key, and the settings with which production refuses to start."""

import dataclasses
import multiprocessing
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from chatsite.configuration import stores
from chatsite.configuration.limits import Limits
from chatsite.configuration.production import refuse_unsafe
from chatsite.configuration.secret import kept_secret
from tests.harness.product import manage

# --- Limits -------------------------------------------------------------------------------


def test_empty_limits_are_the_defaults() -> None:
    assert Limits.from_json("{}") == Limits()


def test_named_limits_change_and_the_others_stay() -> None:
    changed = Limits.from_json('{"messages_per_second": 0.5, "page_size": 7}')
    assert changed == dataclasses.replace(Limits(), messages_per_second=0.5, page_size=7)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "CHATSITE_LIMITS"),
        ("[]", "CHATSITE_LIMITS"),
        ("[1]", "CHATSITE_LIMITS"),
        ('"x"', "CHATSITE_LIMITS"),
        ("null", "CHATSITE_LIMITS"),
        ('{"page_sise": 7}', "page_sise"),
        ('{"page_size": 0}', "page_size"),
        ('{"page_size": -1}', "page_size"),
        ('{"page_size": 1.5}', "page_size must be a whole number"),
        ('{"page_size": "7"}', "page_size"),
        ('{"page_size": true}', "page_size"),
        ('{"auth_seconds": null}', "auth_seconds"),
        ('{"auth_seconds": NaN}', "auth_seconds"),
        ('{"auth_seconds": Infinity}', "auth_seconds"),
        ('{"catch_up_events": 20000}', "catch_up_events_total"),
    ],
)
def test_an_invalid_limit_is_refused_by_name(text: str, why: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=why):
        Limits.from_json(text)


def test_anyone_can_read_all_limits(client: Client, settings: Any) -> None:
    answer = client.get("/api/v1/limits")
    assert answer.status_code == 200
    assert answer.json() == dataclasses.asdict(settings.LIMITS)


# --- The stored secret key ----------------------------------------------------------------


def test_a_secret_is_created_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "there yet"
    secret = kept_secret(folder)
    assert len(secret) >= 50
    assert kept_secret(folder) == secret
    assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in folder.iterdir()] == ["secret_key"], "no temporary file is left"
    assert kept_secret(tmp_path / "other") != secret


def test_processes_started_together_agree_on_one_secret(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for round in range(20):
            assert len(set(pool.map(kept_secret, [tmp_path / str(round)] * 4, chunksize=1))) == 1


# --- Production ---------------------------------------------------------------------------

SAFE: dict[str, Any] = {
    "debug": False,
    "secret_key": "x" * 50,
    "allowed_hosts": ["chat.example.org"],
    "allowed_origins": ["https://chat.example.org"],
    "database_url": "postgres://u@h/d",
    "redis_url": "redis://h/0",
    "crash_point": "",
    "testing": False,
}
UNSAFE = [
    ({"debug": True}, "DEBUG"),
    ({"secret_key": ""}, "SECRET_KEY"),
    ({"secret_key": "short"}, "SECRET_KEY"),
    ({"secret_key": "django-insecure-" + "x" * 50}, "SECRET_KEY"),
    ({"secret_key": "change-me-" + "x" * 50}, "SECRET_KEY"),
    ({"allowed_hosts": []}, "ALLOWED_HOSTS"),
    ({"allowed_hosts": ["a.example", "*"]}, "ALLOWED_HOSTS"),
    ({"allowed_origins": []}, "ALLOWED_ORIGINS"),
    ({"allowed_origins": ["*"]}, "ALLOWED_ORIGINS"),
    ({"allowed_origins": ["https://*.example.org"]}, "ALLOWED_ORIGINS"),
    ({"allowed_origins": ["http://chat.example.org"]}, "ALLOWED_ORIGINS"),
    ({"database_url": ""}, "DATABASE_URL"),
    ({"database_url": "sqlite:///x"}, "DATABASE_URL"),
    ({"redis_url": ""}, "REDIS_URL"),
    ({"crash_point": "before_ack"}, "CHATSITE_CRASH_POINT"),
]


def test_a_safe_set_up_starts() -> None:
    refuse_unsafe(**SAFE)
    refuse_unsafe(**SAFE | {"testing": True, "crash_point": "before_ack", "allowed_origins": ["http://a"]})


@pytest.mark.parametrize(("unsafe", "named"), UNSAFE, ids=str)
def test_an_unsafe_setting_alone_is_refused_by_name(unsafe: dict[str, Any], named: str) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        refuse_unsafe(**SAFE | unsafe)
    reasons = str(refused.value).splitlines()[1:]
    assert len(reasons) == 1
    assert named in reasons[0]


def test_all_unsafe_settings_are_named_together() -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        refuse_unsafe(**SAFE | {"debug": True, "redis_url": "", "allowed_hosts": []})
    assert all(name in str(refused.value) for name in ("DEBUG", "REDIS_URL", "ALLOWED_HOSTS"))


def test_an_unsupported_database_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="DATABASE_URL"):
        stores.database("mysql://ana@localhost/chat", role="server", pool_size=1)


def test_production_without_settings_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as failed:
        manage(["check"], {"CHATSITE_PROFILE": "production", "DATA_DIR": str(tmp_path)})
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "ALLOWED_ORIGINS", "DATABASE_URL", "REDIS_URL"):
        assert name in str(failed.value)


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="CHATSITE_PROFILE"):
        manage(["check"], {"CHATSITE_PROFILE": "prodution", "DATA_DIR": str(tmp_path)})
