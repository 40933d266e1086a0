"""REST of notifications: translate, one service or selector call, translate back."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rates import take_own_change
from accounts.requests import SignedInRequest
from notifications import frames
from notifications.selectors.in_app import notification_page
from notifications.selectors.preferences import preferences_body, preferences_of
from notifications.selectors.trace import trace_for_sender
from notifications.selectors.unsubscribing import user_of_token
from notifications.senders import public_key
from notifications.services import devices, in_app, preferences
from realtime.wire.rest import answer, body_of, no_content, query_of

TAGS = ["notifications"]


class DevicesView(APIView):
    """Push addresses."""

    @extend_schema(request=frames.RegisterDevice, responses={201: frames.DeviceBody, 200: frames.DeviceBody}, tags=TAGS)
    def post(self, request: SignedInRequest) -> Response:
        """Register this device's push address; 200 if it was known already. Another session that had it loses it."""
        wanted = body_of(request, frames.RegisterDevice)
        take_own_change(request.user.id)
        device, is_new = devices.register_device(request.auth, wanted)
        body = frames.DeviceBody(
            device_token=wanted.device_token, platform=wanted.platform, created_at=device.created_at
        )
        return answer(body, 201 if is_new else 200)


class DeviceView(APIView):
    """One push address."""

    @extend_schema(responses={204: None}, tags=TAGS)
    def delete(self, request: SignedInRequest, device_token: str) -> Response:
        """Stop pushes to one of my addresses; 204 also if it is not mine."""
        if "\x00" not in device_token:
            devices.unregister_device(user_id=request.user.id, token=device_token)
        return no_content()


class NotificationsView(APIView):
    """The list in the app."""

    @extend_schema(
        parameters=[
            OpenApiParameter("cursor", OpenApiTypes.UUID, description="The id of the last one of the page before."),
            OpenApiParameter("limit", int, description="1 to 200; 50 when absent."),
        ],
        responses={200: frames.NotificationPage},
        tags=TAGS,
    )
    def get(self, request: SignedInRequest) -> Response:
        """List my notifications, newest first."""
        return answer(notification_page(request.user.id, query_of(request, frames.NotificationQuery)))


class NotificationsReadView(APIView):
    """Marking the list in the app as read."""

    @extend_schema(request=frames.ReadNotifications, responses={204: None}, tags=TAGS)
    def post(self, request: SignedInRequest) -> Response:
        """Mark my notifications up to one of them as read."""
        body = body_of(request, frames.ReadNotifications)
        in_app.read_notifications(user_id=request.user.id, up_to=body.up_to)
        return no_content()


class PreferencesView(APIView):
    """My preferences."""

    @extend_schema(responses={200: frames.PreferencesBody}, tags=TAGS)
    def get(self, request: SignedInRequest) -> Response:
        """Show my preferences."""
        return answer(preferences_of(request.user.id))

    @extend_schema(request=frames.UpdatePreferences, responses={200: frames.PreferencesBody}, tags=TAGS)
    def patch(self, request: SignedInRequest) -> Response:
        """Change my preferences."""
        wanted = body_of(request, frames.UpdatePreferences)
        take_own_change(request.user.id)
        return answer(preferences_body(preferences.update_preferences(user_id=request.user.id, wanted=wanted)))


class VapidKeyView(APIView):
    """The key for Web Push."""

    @extend_schema(responses={200: frames.VapidKey}, tags=TAGS)
    def get(self, request: SignedInRequest) -> Response:
        """Show the public key that a browser subscribes with."""
        return answer(frames.VapidKey(public_key=public_key()))


class TraceView(APIView):
    """The trace of a message."""

    @extend_schema(responses={200: frames.TraceBody}, tags=["messages"])
    def get(self, request: SignedInRequest, message_id: UUID) -> Response:
        """Show whether and when a message of mine was delivered to and read by each other member."""
        return answer(trace_for_sender(request.user.id, message_id))


@never_cache
@csrf_exempt
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Show a form, and on POST turn off mail to the person of the token; the token suffices (RFC 8058).

    GET changes nothing, since mail programs and scanners follow links.
    """
    user_id = user_of_token(token)
    if user_id is None:
        raise Http404
    if request.method == "POST":
        preferences.stop_mail(user_id=user_id)
    return render(request, "notifications/unsubscribe.html", {"done": request.method == "POST"})
