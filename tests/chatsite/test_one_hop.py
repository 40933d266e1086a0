"""The threads that requests borrow."""

import asyncio
import threading
from typing import Any

import pytest
from django.db import connections
from django.http import HttpRequest, HttpResponse

from chatsite import one_hop
from chatsite.one_hop import OneHopHandler
from tests.waiting import until


class Handler(OneHopHandler):
    """Notes the thread and the connection object of each request, and waits there until all are here."""

    def __init__(self, together: int) -> None:
        super().__init__()
        self.threads: list[tuple[int, int]] = []
        self._all_here = threading.Barrier(together)

    def get_response(self, request: HttpRequest) -> HttpResponse:
        self._all_here.wait(5)
        self.threads.append((threading.get_ident(), id(connections["default"])))
        return HttpResponse()


async def asks(handler: Handler) -> int:
    """Make a request; return the status."""
    status: list[int] = []
    sent = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        if (message := next(sent, None)) is not None:
            return message
        return await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            status.append(message["status"])

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "http_version": "1.1"}
    await handler(scope, receive, send)
    return status[0]


async def test_requests_one_after_the_other_share_a_thread_and_its_connection() -> None:
    handler = Handler(together=1)
    assert [await asks(handler) for _ in range(3)] == [200, 200, 200]
    assert len(set(handler.threads)) == 1


async def test_requests_at_once_have_a_thread_each_and_give_it_back() -> None:
    handler = Handler(together=3)
    for _ in range(2):
        assert await asyncio.gather(*(asks(handler) for _ in range(3))) == [200, 200, 200]
        assert len(set(handler.threads)) == 3
    assert len(handler._idle) == 3


async def test_after_a_storm_most_threads_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_hop, "IDLE_THREADS", 2)
    handler, before = Handler(together=5), threading.active_count()
    assert await asyncio.gather(*(asks(handler) for _ in range(5))) == [200] * 5
    await until(lambda: threading.active_count() <= before + 2)
    assert len(handler._idle) == 2
