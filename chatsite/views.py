"""Pages and responses that belong to no app: the web client, limits, unknown addresses."""

import dataclasses

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import ensure_csrf_cookie
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from realtime.wire.errors import DomainError, NotFound
from realtime.wire.rest import answer, plain_error


class LimitsView(APIView):
    """What the server enforces."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses={200: OpenApiTypes.OBJECT}, auth=[], tags=["server"])
    def get(self, request: Request) -> Response:
        """Show every limit and time-out that the server enforces."""
        return answer(dataclasses.asdict(settings.LIMITS))


@ensure_csrf_cookie
def web_client(request: HttpRequest) -> HttpResponse:
    """Serve the page that loads the web client."""
    return render(request, "index.html")


@cache_control(no_cache=True)
def service_worker(request: HttpRequest) -> HttpResponse:
    """Serve the script of the web client's service worker.

    A service worker controls only pages below its own address, so it is served from the root and imports its code from
    the static files. Browsers revalidate it and its imports before they use them.
    """
    script = f'import "{static("js/worker/main.js")}";\n'
    return HttpResponse(script, content_type="text/javascript", headers={"Service-Worker-Allowed": "/"})


@cache_control(max_age=60 * 60 * 24)
def favicon(request: HttpRequest) -> HttpResponse:
    """Lead browsers that show no page of ours, but the API or a download, to the icon."""
    return redirect(static("favicon.svg"))


def unknown_address(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer a request for an address that does not exist: with a page to a person, else with an error body."""
    is_api = request.path.startswith("/api/")
    if not is_api and request.get_preferred_type(["application/json", "text/html"]) == "text/html":
        return render(request, "404.html", status=404)
    return plain_error(request, NotFound("address"))


def bad_request(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """Answer a request that cannot be understood."""
    return plain_error(request, DomainError("malformed", "The request cannot be understood."))


def server_error(request: HttpRequest) -> JsonResponse:
    """Answer when the server failed outside of REST framework's views."""
    return plain_error(request, DomainError("server_error", "The server failed; this was logged."))
