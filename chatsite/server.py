"""uvicorn with the options that the product relies on. Run by `manage.py serve`."""

import logging
import os
import sys

import uvicorn

os.environ["CHATSITE_ROLE"] = "server"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

from django.conf import settings

# The loop and the writing threads share one interpreter lock: with a shorter turn a transaction waits
# less at each of its round trips beside a busy loop.
SWITCH_INTERVAL_SECONDS = 0.0005


class WithoutHostileTracebacks(logging.Filter):
    """Drops uvicorn's traceback for a client that sent invalid UTF-8; the close code 1007 says it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Invalid UTF-8")


def serve(host: str, port: int, processes: int) -> None:
    """Serve until a signal ends it."""
    sys.setswitchinterval(SWITCH_INTERVAL_SECONDS)
    logging.getLogger("uvicorn.error").addFilter(WithoutHostileTracebacks())
    limits = settings.LIMITS
    uvicorn.run(
        "chatsite.asgi:application",
        host=host,
        port=port,
        workers=processes,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=limits.frame_bytes,
        # Compression would double the memory of a connection.
        ws_per_message_deflate=False,
        ws_ping_interval=limits.server_ping_seconds,
        ws_ping_timeout=max(1.0, limits.heartbeat_timeout_seconds - limits.server_ping_seconds),
        lifespan="on",
        proxy_headers=True,
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
        timeout_graceful_shutdown=5,
        access_log=False,
        log_level="warning",
        server_header=False,
    )


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
