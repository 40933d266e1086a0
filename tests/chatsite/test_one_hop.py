"""The threads that requests borrow."""

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
    """Notes the thread and the connection object of each request, and waits there until all are here."""

    def __init__(self, together: int) -> None:
        super().__init__()
        self.threads: list[tuple[int, int]] = []
        self._all_here = threading.Barrier(together)

    def get_response(self, request: HttpRequest) -> HttpResponse:
        self._all_here.wait(5)
        self.threads.append((threading.get_ident(), id(connections["default"])))
        return HttpResponse()


async def asks(handler: OneHopHandler, path: str = "/", until_it_leaves: asyncio.Event | None = None) -> int | None:
    """Make a request as uvicorn does; return the status.

    When it is answered, and when `until_it_leaves` is set before, its client counts as gone.
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


@pytest.mark.parametrize(
    ("path", "status"),
    [("/api/v1/limits", 200), ("/api/v1/users/me", 401), ("/api/v1/nothing", 404)],
    ids=["an answer", "a refusal", "no address"],
)
async def test_a_request_that_was_answered_leaves_nothing_to_look_for(path: str, status: int) -> None:
    alive = WeakSet[HttpRequest]()

    class Django(OneHopHandler):
        def get_response(self, request: HttpRequest) -> Any:
            alive.add(request)
            return super().get_response(request)

    handler = Django()
    gc.collect()
    gc.disable()
    try:
        assert await asks(handler, path) == status
        await until(lambda: not alive)
    finally:
        gc.enable()


async def test_a_view_whose_client_has_left_still_has_its_request() -> None:
    seen: list[str] = []
    loop, begun = asyncio.get_running_loop(), asyncio.Event()

    class Slow(OneHopHandler):
        def get_response(self, request: HttpRequest) -> HttpResponse:
            loop.call_soon_threadsafe(begun.set)
            time.sleep(0.2)  # while its client leaves
            seen.append(request.method or "")
            return HttpResponse()

    assert await asks(Slow(), until_it_leaves=begun) is None
    assert seen == ["GET"], "and has ended before its thread is given back"
