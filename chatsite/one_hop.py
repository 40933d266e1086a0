"""Django's ASGI handler with its whole middleware chain in one thread, for one hop from the event loop.

Django itself runs each middleware on the event loop and hops for its hooks, two hops a piece; and where one of them
knows no async form (WhiteNoise), a new event loop in a new thread for everything inside it, for each request.
Middleware and views here are all synchronous: together they cost one hop.
"""

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpRequest
from django.http.response import HttpResponseBase


class OneHopHandler(ASGIHandler):
    """Runs middleware and view of a request together, in the thread that Django gives the request."""

    def load_middleware(self, is_async: bool = False) -> None:
        super().load_middleware(is_async=False)

    async def get_response_async(self, request: HttpRequest) -> HttpResponseBase:
        return await sync_to_async(self.get_response, thread_sensitive=True)(request)
