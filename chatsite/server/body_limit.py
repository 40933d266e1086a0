"""Refuses a request body that is too large before Django stores it on disk."""

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from realtime.wire.bodies import encode
from realtime.wire.errors import DomainError

# Chunks of at most 64 KiB that are read and dropped before the refusal.
READ_AFTERWARDS = 64

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


def with_body_limit(application: Application) -> Application:
    """Return the ASGI application behind the limit `body_bytes`, for bodies with and without a Content-Length."""

    async def limited(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        most = settings.LIMITS.body_bytes
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > most:
            await _refuse(receive, send, most, more_body=True)
            return
        received = 0
        more_body = True
        answered = False

        async def counted_receive() -> dict[str, Any]:
            nonlocal received, more_body
            message = await receive()
            received += len(message.get("body", b""))
            more_body = message.get("more_body", False)
            # The application sees a client that has left.
            return message if received <= most else {"type": "http.disconnect"}

        async def noted_send(message: dict[str, Any]) -> None:
            nonlocal answered
            answered = True
            await send(message)

        await application(scope, counted_receive, noted_send)
        if received > most and not answered:
            await _refuse(receive, send, most, more_body=more_body)

    return limited


async def _refuse(receive: Receive, send: Send, most: int, *, more_body: bool) -> None:
    # A client that is cut off while it still writes cannot read the answer. So some more is read.
    for _ in range(READ_AFTERWARDS):
        if not more_body:
            break
        more_body = (await receive()).get("more_body", False)
    error = DomainError("too_large", f"A body has at most {most} bytes.")
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": encode(error.body())})
