"""`manage.py doctor`: checks a set-up and says what is wrong and what to do."""

import importlib.metadata
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from chatsite.celery import app as celery_app
from chatsite.server.lifespan import refuse_unsafe_database
from notifications.models import PushDevice
from notifications.senders import sender_of


class Command(BaseCommand):
    """Runs every check; exits with 1 if one found a fault."""

    help = "Explain what is wrong with this set-up."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        checks: dict[str, Callable[[], Iterator[str]]] = {
            "profile": _profile,
            "database": _database,
            "migrations": _migrations,
            "redis": _redis,
            "broker": _broker,
            "notifications": _notifications,
            "static files": _static_files,
        }
        faults = 0
        for name, check in checks.items():
            try:
                found = list(check())
            except Exception as error:  # noqa: BLE001 - one failed check must not hide the others
                found = [f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no reason given'}"]
            faults += len(found)
            self.stdout.write(f"{name}: {'' if found else 'not used' if name in _unused() else 'ok'}")
            for fault in found:
                self.stdout.write(f"  - {fault}")
        if faults:
            raise CommandError(f"{faults} faults")


def _unused() -> set[str]:
    """Return the names of the checks of what this set-up does without."""
    unused = set() if settings.REDIS_URL else {"redis"}
    return unused | {"broker"} if settings.CELERY_BROKER_URL.startswith("memory:") else unused


def _profile() -> Iterator[str]:
    if settings.DEBUG:
        yield "DEBUG is on: errors show source code and settings to everybody"
    if settings.EMBEDDED and settings.REDIS_URL:
        yield "REDIS_URL is set, but the profile is embedded: set CHATSITE_PROFILE=production to use several processes"
    if settings.CRASH_POINT:
        yield f"CHATSITE_CRASH_POINT={settings.CRASH_POINT}: processes kill themselves there; unset it"


def _database() -> Iterator[str]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:  # noqa: BLE001 - one failed check must not hide the others
        yield f"no connection ({str(error).strip().splitlines()[0]}): check DATABASE_URL and that the server runs"
        return
    try:
        refuse_unsafe_database()
    except RuntimeError as error:
        yield str(error)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SHOW max_connections")
            (most,) = cursor.fetchone()
        pool = settings.DATABASES["default"]["OPTIONS"].get("pool", {}).get("max_size", 20)
        if int(most) < pool + 10:
            yield f"max_connections is {most}: a server process alone may open {pool} (DATABASE_POOL_SIZE)"
    elif sqlite3.sqlite_version_info < (3, 35):
        yield f"SQLite {sqlite3.sqlite_version} is too old: 3.35 or newer is needed"


def _migrations() -> Iterator[str]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        yield f"{len(missing)} migrations are not applied: run manage.py migrate"


def _redis() -> Iterator[str]:
    if not settings.REDIS_URL:
        return
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2).ping()
    except redis.RedisError as error:
        yield f"no answer ({type(error).__name__}): check REDIS_URL and that the server runs"
    layer: dict[str, Any] = settings.CHANNEL_LAYERS["default"]
    version = importlib.metadata.version("redis")
    host = layer.get("CONFIG", {}).get("hosts", [{}])[0]
    if int(version.split(".")[0]) >= 8 and "socket_timeout" not in host:
        yield f"redis-py {version} cuts idle subscribers off after 5 s: give the channel layer a socket_timeout"


def _broker() -> Iterator[str]:
    if settings.CELERY_BROKER_URL.startswith("memory:"):
        if not settings.EMBEDDED:
            yield "CELERY_BROKER_URL is not set: background work would stay in the process that asked for it"
        return
    try:
        with celery_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=0, timeout=2)
    except Exception as error:  # noqa: BLE001 - one failed check must not hide the others
        yield f"no connection ({type(error).__name__}): check CELERY_BROKER_URL and that the broker runs"


def _notifications() -> Iterator[str]:
    for provider in PushDevice.Provider.values:
        try:
            sender_of(provider)
        except (ValueError, OSError) as error:
            yield f"the keys for {provider} cannot be used: {error}"
    if settings.PUBLIC_URL.startswith("http://") and not settings.EMBEDDED:
        yield "PUBLIC_URL is not https: mail programs do not unsubscribe by one click at such an address"
    if settings.MAIL_ENABLED and "@localhost" in settings.DEFAULT_FROM_EMAIL:
        yield "MAIL_FROM is not set: mail servers will not believe where mail comes from"


def _static_files() -> Iterator[str]:
    if not (settings.BASE_DIR / "static").is_dir():
        yield "the folder static/ is missing: the web client cannot load"
