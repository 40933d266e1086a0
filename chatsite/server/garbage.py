"""Cyclic garbage: when a server process collects it, and how the cycles that would need it are cut.

Python collects all objects whenever the survivors have grown by a quarter. With 5,000 connections that was every ten
seconds, for 0.3 to 0.5 s in which nobody is served. So here a full collection runs every five minutes only. Young
objects are collected as usual, in portions that hold nobody up (13 ms at 5,000 connections, 54 ms at 50,000).

That is safe because almost nothing waits for a collection. Libraries leave cycles behind each connection and each
request; the `release_*` functions cut them, and every cut is here. See docs/decisions/0023-cyclic-garbage.md.
"""

import gc
import time
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from realtime.registry import registry

# New containers until the youngest generation is collected; collections of it until the middle one is.
YOUNG, MIDDLE = 1_000, 5
NEVER = 2**31 - 1
SECONDS = 300.0


class Collector:
    """Runs a full collection every `SECONDS`."""

    def __init__(self, collect: Callable[[], object] = gc.collect, now: Callable[[], float] = time.monotonic) -> None:
        self._collect, self._now = collect, now
        self._collected_at = now()

    def begin(self) -> None:
        """Replace Python's own rule; called when the process has loaded all its code."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(YOUNG, MIDDLE, NEVER)
        registry.on_tick(self.look)

    def look(self) -> None:
        """Collect if it is time to."""
        if self._now() - self._collected_at >= SECONDS:
            self._collect()
            self._collected_at = self._now()


collector = Collector()


def release_upgrade(http_protocol: Any) -> None:
    """Cut the cycle of a uvicorn HTTP protocol that handed its connection to a WebSocket: parser and protocol."""
    http_protocol.parser = None


def release_websocket(protocol: Any) -> None:
    """Cut the cycles of a uvicorn WebSocket protocol whose connection has ended.

    The parser is a generator that refers to the connection; an exception refers to the frames that raised it; the
    extension in the scope refers to the protocol, whose scope it is.
    """
    protocol.conn.parser.close()
    protocol.conn.parser_exc = protocol.conn.handshake_exc = None
    if hasattr(protocol, "scope"):  # there is none before the request, nor after a refusal
        protocol.scope.get("extensions", {}).clear()


def release_response(response: HttpResponseBase) -> None:
    """Cut the cycles of a rendered REST response: view, request, response and their contexts refer to each other."""
    context = getattr(response, "renderer_context", None)
    if context:
        vars(context["view"]).clear()
        context["request"].parser_context.clear()
        context.clear()


def release_request(request: HttpRequest) -> None:
    """Cut the cycles of a request that was answered: its user and its messages refer to it."""
    vars(request).clear()
