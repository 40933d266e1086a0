"""The threads in which Django answers requests."""

import asyncio
import gc
import threading
import time
from typing import Any
from weakref import WeakSet

import pytest
from django.db import connections
from django.http import HttpRequest, HttpResponse

from chatsite.server import one_hop
from chatsite.server.one_hop import OneHopHandler
from tests.waiting import until


class Handler(OneHopHandler):
    """Records thread and database connection of each request, after waiting for `together` requests."""

    def __init__(self, together: int) -> None:
        super().__init__()
        self.threads: list[tuple[int, int]] = []
        self._all_here = threading.Barrier(together)

    def get_response(self, request: HttpRequest) -> HttpResponse:
        self._all_here.wait(5)
        self.threads.append((threading.get_ident(), id(connections["default"])))
        return HttpResponse()


async def request(handler: OneHopHandler, path: str = "/", until_it_leaves: asyncio.Event | None = None) -> int | None:
    """Make a request as uvicorn does and return the status, or None without an answer.

    The client disconnects after the answer, or when `until_it_leaves` is set.
    """
    status: list[int] = []
    gone = until_it_leaves or asyncio.Event()
    sent = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        if (message := next(sent, None)) is not None:
            return message
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if "status" in message:
            status.append(message["status"])
        elif not message.get("more_body"):
            gone.set()

    headers = [(b"host", b"testserver")]
    scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b"", "scheme": "http"}
    await handler(scope, receive, send)
    return status[0] if status else None


async def test_sequential_requests_share_a_thread_and_its_connection() -> None:
    handler = Handler(together=1)
    assert [await request(handler) for _ in range(3)] == [200, 200, 200]
    assert len(set(handler.threads)) == 1


async def test_concurrent_requests_use_a_thread_each_and_return_it() -> None:
    handler = Handler(together=3)
    for _ in range(2):
        assert await asyncio.gather(*(request(handler) for _ in range(3))) == [200, 200, 200]
        assert len(set(handler.threads)) == 3
    assert len(handler._idle) == 3


async def test_surplus_threads_end_after_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_hop, "IDLE_THREADS", 2)
    handler, before = Handler(together=5), threading.active_count()
    assert await asyncio.gather(*(request(handler) for _ in range(5))) == [200] * 5
    await until(lambda: threading.active_count() <= before + 2)
    assert len(handler._idle) == 2


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/v1/limits", 200), ("/api/v1/users/me", 401), ("/api/v1/nothing", 404)],
    ids=["answered", "refused", "not found"],
)
async def test_an_answered_request_leaves_no_reference_cycle(path: str, status: int) -> None:
    alive = WeakSet[HttpRequest]()

    class Django(OneHopHandler):
        def get_response(self, request: HttpRequest) -> Any:
            alive.add(request)
            return super().get_response(request)

    handler = Django()
    gc.collect()
    gc.disable()
    try:
        assert await request(handler, path) == status
        await until(lambda: not alive)
    finally:
        gc.enable()


async def test_a_view_keeps_its_request_after_the_client_has_left() -> None:
    seen: list[str] = []
    loop, begun = asyncio.get_running_loop(), asyncio.Event()

    class Slow(OneHopHandler):
        def get_response(self, request: HttpRequest) -> HttpResponse:
            loop.call_soon_threadsafe(begun.set)
            time.sleep(0.2)  # its client disconnects meanwhile
            seen.append(request.method or "")
            return HttpResponse()

    assert await request(Slow(), until_it_leaves=begun) is None
    assert seen == ["GET"], "the view has ended before its thread is given back"
