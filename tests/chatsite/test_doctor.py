"""The doctor says what is wrong, in sentences, and fails when something is."""

import dataclasses
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.harness.product import manage

pytestmark = pytest.mark.django_db


def examined() -> str:
    """Return what a doctor says who finds something."""
    out = StringIO()
    with pytest.raises(CommandError, match="faults"):
        call_command("doctor", stdout=out)
    return out.getvalue()


def test_a_set_up_in_order_is_fine() -> None:
    out = StringIO()
    call_command("doctor", stdout=out)
    lines = out.getvalue().splitlines()
    parts = ("profile", "database", "migrations", "redis", "broker", "notifications", "static files")
    assert lines == [f"{part}: ok" for part in parts]


def test_a_redis_that_is_away_is_found_soon(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "redis: \n  - no answer (ConnectionError)" in examined()


def test_a_broker_that_is_away_or_missing_is_found(settings: Any) -> None:
    settings.CELERY_BROKER_URL = "memory://localhost/"
    assert "CELERY_BROKER_URL is not set" in examined()


def test_a_broker_that_does_not_answer_is_found(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"broker: \n  - no connection"):
        manage(["doctor"], {"DATA_DIR": str(tmp_path), "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"})


def test_keys_that_cannot_be_used_and_mail_that_nobody_believes_are_found(settings: Any) -> None:
    from chatsite.configuration.notifying import Apns
    from notifications.senders import sender_of

    wrong = Apns(key="no key", key_id="A", team_id="B", topic="org.example.chat")
    settings.PROVIDERS = dataclasses.replace(settings.PROVIDERS, apns=wrong)
    settings.MAIL_ENABLED, settings.PUBLIC_URL = True, "http://chat.example.org"
    sender_of.cache_clear()
    said = examined()
    sender_of.cache_clear()
    assert "the keys for apns cannot be used" in said
    assert "PUBLIC_URL is not https" in said
    assert "MAIL_FROM is not set" in said


def test_a_channel_layer_that_cuts_idle_subscribers_off_is_found(settings: Any) -> None:
    layer = settings.CHANNEL_LAYERS["default"]
    hosts = [{"address": settings.REDIS_URL}]
    settings.CHANNEL_LAYERS = {"default": {**layer, "CONFIG": {**layer["CONFIG"], "hosts": hosts}}}
    assert "socket_timeout" in examined()


def test_a_database_that_may_lose_a_commit_is_found() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
    assert "synchronous_commit off" in examined()


def test_debug_a_crash_point_and_a_wrong_profile_are_found(settings: Any) -> None:
    settings.DEBUG = True
    settings.CRASH_POINT = "before_ack"
    settings.EMBEDDED = True
    said = examined()
    assert all(
        word in said for word in ("DEBUG is on", "CHATSITE_CRASH_POINT=before_ack", "CHATSITE_PROFILE=production")
    )


def test_missing_static_files_are_found(settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    assert "static/" in examined()


def test_a_pool_that_the_database_cannot_serve_is_found(settings: Any) -> None:
    options = settings.DATABASES["default"]["OPTIONS"]
    settings.DATABASES["default"]["OPTIONS"] = {**options, "pool": {"max_size": 5_000}}
    try:
        assert "DATABASE_POOL_SIZE" in examined()
    finally:
        settings.DATABASES["default"]["OPTIONS"] = options


def test_an_empty_folder_lacks_its_migrations_and_nothing_else(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as failed:
        manage(["doctor"], {"DATA_DIR": str(tmp_path)})
    assert "run manage.py migrate" in str(failed.value)
    assert "1 faults" in str(failed.value)


def test_a_database_that_is_away_is_said_not_thrown(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as failed:
        manage(["doctor"], {"DATA_DIR": str(tmp_path), "DATABASE_URL": "postgres://u:p@127.0.0.1:1/d"})
    assert "check DATABASE_URL" in str(failed.value)
    assert "Traceback" not in str(failed.value)
