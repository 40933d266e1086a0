"""The doctor reports each fault in plain sentences, and fails when it finds one."""

import dataclasses
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.harness.product import manage

pytestmark = pytest.mark.django_db


def report() -> str:
    """Run the doctor, expecting faults, and return its report."""
    out = StringIO()
    with pytest.raises(CommandError, match="faults"):
        call_command("doctor", stdout=out)
    return out.getvalue()


def test_a_correct_set_up_is_reported_ok() -> None:
    out = StringIO()
    call_command("doctor", stdout=out)
    lines = out.getvalue().splitlines()
    parts = ("profile", "database", "migrations", "redis", "broker", "notifications", "static files")
    assert lines == [f"{part}: ok" for part in parts]


def test_what_the_embedded_profile_does_without_is_reported_as_not_used(settings: Any) -> None:
    settings.REDIS_URL, settings.CELERY_BROKER_URL, settings.EMBEDDED = "", "memory://localhost/", True
    out = StringIO()
    call_command("doctor", stdout=out)
    assert {"redis: not used", "broker: not used", "database: ok"} <= set(out.getvalue().splitlines())


def test_an_unreachable_redis_is_reported(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert "redis: \n  - no answer (ConnectionError)" in report()


def test_a_missing_broker_setting_is_reported(settings: Any) -> None:
    settings.CELERY_BROKER_URL = "memory://localhost/"
    assert "CELERY_BROKER_URL is not set" in report()


def test_an_unreachable_broker_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"broker: \n  - no connection"):
        manage(["doctor"], {"DATA_DIR": str(tmp_path), "CELERY_BROKER_URL": "redis://127.0.0.1:1/0"})


def test_unusable_keys_and_mail_settings_are_reported(settings: Any) -> None:
    from chatsite.configuration.notifying import Apns
    from notifications.senders import sender_of

    wrong = Apns(key="no key", key_id="A", team_id="B", topic="org.example.chat")
    settings.PROVIDERS = dataclasses.replace(settings.PROVIDERS, apns=wrong)
    settings.MAIL_ENABLED, settings.PUBLIC_URL = True, "http://chat.example.org"
    sender_of.cache_clear()
    text = report()
    sender_of.cache_clear()
    assert "the keys for apns cannot be used" in text
    assert "PUBLIC_URL is not https" in text
    assert "MAIL_FROM is not set" in text


def test_a_channel_layer_with_a_socket_timeout_is_reported(settings: Any) -> None:
    layer = settings.CHANNEL_LAYERS["default"]
    hosts = [{"address": settings.REDIS_URL}]
    settings.CHANNEL_LAYERS = {"default": {**layer, "CONFIG": {**layer["CONFIG"], "hosts": hosts}}}
    assert "socket_timeout" in report()


def test_a_database_with_asynchronous_commit_is_reported() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
    assert "synchronous_commit off" in report()


def test_debug_a_crash_point_and_a_wrong_profile_are_reported(settings: Any) -> None:
    settings.DEBUG = True
    settings.CRASH_POINT = "before_ack"
    settings.EMBEDDED = True
    text = report()
    assert all(
        word in text for word in ("DEBUG is on", "CHATSITE_CRASH_POINT=before_ack", "CHATSITE_PROFILE=production")
    )


def test_missing_static_files_are_reported(settings: Any, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path
    assert "static/" in report()


def test_a_pool_larger_than_the_database_serves_is_reported(settings: Any) -> None:
    options = settings.DATABASES["default"]["OPTIONS"]
    settings.DATABASES["default"]["OPTIONS"] = {**options, "pool": {"max_size": 5_000}}
    try:
        assert "DATABASE_POOL_SIZE" in report()
    finally:
        settings.DATABASES["default"]["OPTIONS"] = options


def test_in_an_empty_folder_only_migrations_are_missing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as failed:
        manage(["doctor"], {"DATA_DIR": str(tmp_path)})
    assert "run manage.py migrate" in str(failed.value)
    assert "1 faults" in str(failed.value)


def test_an_unreachable_database_is_reported_without_a_traceback(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as failed:
        manage(["doctor"], {"DATA_DIR": str(tmp_path), "DATABASE_URL": "postgres://u:p@127.0.0.1:1/d"})
    assert "check DATABASE_URL" in str(failed.value)
    assert "Traceback" not in str(failed.value)
