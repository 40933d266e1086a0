"""Liveness and readiness."""

import time
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse

from chatsite.celery import app as celery_app
from realtime.socket.drain import drain


def health(request: HttpRequest) -> JsonResponse:
    """Answer that the process runs."""
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> JsonResponse:
    """Answer 200 when this process can serve, else 503 with what is down."""
    checks: dict[str, Any] = {"database": _database, "channel_layer": _channel_layer, "broker": _broker}
    parts = {name: _outcome(check) for name, check in checks.items()}
    if drain.begun:
        parts["draining"] = "the process is going away"
    down = sorted(name for name, outcome in parts.items() if outcome != "ok")
    status = {"status": "unavailable", "down": down} if down else {"status": "ok"}
    return JsonResponse({**status, "parts": parts}, status=503 if down else 200)


def _outcome(check: Any) -> str:
    started = time.monotonic()
    try:
        check()
    except Exception as error:  # noqa: BLE001 - whatever it is, the part is down
        return f"{type(error).__name__} after {time.monotonic() - started:.1f} s"
    return "ok"


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _channel_layer() -> None:
    if settings.REDIS_URL:
        async_to_sync(get_channel_layer().group_send)("health", {"type": "health"})


def _broker() -> None:
    if not settings.CELERY_BROKER_URL.startswith("memory:"):
        with celery_app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=0, timeout=1)
