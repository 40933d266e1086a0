"""uvicorn with the options that Chatsite needs. `manage.py serve` runs it."""

import resource
import socket
import sys

import uvicorn
from django.conf import settings

from chatsite.server.http_guard import GuardedHttpProtocol
from chatsite.server.websocket_protocol import ReadyFrameProtocol


def allow_many_files() -> None:
    """Raise the limit of open files to what the system allows. Each socket is one; the default is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def check_port(host: str, port: int) -> None:
    """Check that a server can listen at this address: uvicorn finds out only after it has started the application.

    :raises OSError: another process listens there, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.create_server((host, port), family=family).close()


def serve(host: str, port: int, processes: int) -> None:
    """Serve until a signal ends it."""
    allow_many_files()
    sys.stdout.write(f"Chatsite at http://{host}:{port} (Ctrl-C ends it)\n")
    sys.stdout.flush()
    limits = settings.LIMITS
    uvicorn.run(
        "chatsite.asgi:application",
        host=host,
        port=port,
        workers=processes,
        loop="uvloop",
        http=GuardedHttpProtocol,
        ws=ReadyFrameProtocol,
        ws_max_size=limits.frame_bytes,
        # Compression would double the memory of a connection.
        ws_per_message_deflate=False,
        ws_ping_interval=limits.server_ping_seconds,
        ws_ping_timeout=max(1.0, limits.heartbeat_timeout_seconds - limits.server_ping_seconds),
        lifespan="on",
        proxy_headers=True,
        forwarded_allow_ips=settings.TRUSTED_PROXIES,
        timeout_graceful_shutdown=5,
        timeout_worker_healthcheck=settings.PROCESS_ANSWER_SECONDS,
        access_log=False,
        log_level="warning",
        server_header=False,
    )
