"""Django's ASGI handler with its whole middleware chain in one thread, for one hop from the event loop.

Django itself runs each middleware on the event loop and hops for its hooks, two hops a piece; and where one of them
knows no async form (WhiteNoise), a new event loop in a new thread for everything inside it, for each request.
Middleware and views here are all synchronous: together they cost one hop.

Django also has a thread started for each request, and another that waits for its end. Here a request borrows one: the
thread that was given back last, with its connection object to the database.

And Django's requests refer to themselves in several ways, so each would stay, with all that it answered, until the
interpreter looks for garbage among everything, which it seldom does here (`garbage`). Their cycles are cut.
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

# After a storm the rest of its threads end.
IDLE_THREADS = 32


class OneHopHandler(ASGIHandler):
    """Runs middleware and view of a request together, in a thread that the request borrows."""

    def __init__(self) -> None:
        super().__init__()
        self._idle: list[ThreadPoolExecutor] = []  # of one thread each

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Mapping[str, Any]]],
        send: Callable[[Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer a request; a thread is given back only when what was begun in it has ended."""
        thread = self._idle.pop() if self._idle else ThreadPoolExecutor(1, thread_name_prefix="request")
        try:
            async with ThreadSensitiveContext(executor=thread):
                await self.handle(scope, receive, send)
        finally:
            if (request := scope.pop("request", None)) is not None:
                vars(request).clear()  # user and messages refer to their request, and all would wait for the garbage
            if len(self._idle) < IDLE_THREADS:
                self._idle.append(thread)
            else:
                thread.shutdown(wait=False)

    def create_request(self, scope: Mapping[str, Any], body_file: IO[bytes]) -> Any:
        request, refusal = super().create_request(scope, body_file)
        cast(dict[str, Any], scope)["request"] = request  # for `__call__`, whose scope it is
        return request, refusal

    async def listen_for_disconnect(self, receive: Callable[[], Awaitable[Mapping[str, Any]]]) -> None:
        """Return when the client has left, or was answered.

        Django raises here, and takes both alike. But an exception's traceback would tie request, answer and all to
        themselves, until somebody looks for garbage.
        """
        with suppress(RequestAborted):
            await super().listen_for_disconnect(receive)

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)
