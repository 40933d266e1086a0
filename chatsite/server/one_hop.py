"""Django's ASGI handler, with all middleware and the view in one thread: one hop from the event loop.

Django itself hops to a thread twice for each middleware, and starts an event loop in another thread for a middleware
without an asynchronous form (WhiteNoise). Middleware and views here are all synchronous, so one hop is enough. See
docs/decisions/0024-django-in-one-hop.md.

Django also starts a thread for each request and one that waits for its end. Here a request borrows a thread: the one
that was given back last, with its connection object to the database. After the answer its cycles are cut (`garbage`).
"""

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Any, cast

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from chatsite.server.garbage import release_request, release_response

# Threads that are kept after a burst of requests; the others end.
IDLE_THREADS = 32


class OneHopHandler(ASGIHandler):
    """Runs middleware and view of a request together in one borrowed thread."""

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[ThreadPoolExecutor] = []  # of one thread each

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer a request. The thread is given back only after everything that was started in it has ended."""
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            if (request := scope.pop("request", None)) is not None:
                release_request(request)
            if len(self._idle) < IDLE_THREADS:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)

    def create_request(self, scope: Mapping[str, Any], body_file: IO[bytes]) -> Any:
        request, refusal = super().create_request(scope, body_file)
        cast(dict[str, Any], scope)["request"] = request  # so that `__call__` finds it
        return request, refusal

    async def listen_for_disconnect(self, receive: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        """Return when the client has left or was answered.

        Django raises RequestAborted here and treats both alike. The traceback of that exception would make a cycle of
        request and response.
        """
        with suppress(RequestAborted):
            await super().listen_for_disconnect(receive)

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        response = super().get_response(request)
        release_response(response)
        return response

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)
