"""Notifications in the admin: the outcome of each push, the trace of a message, devices and preferences.

Tokens are not shown: with a token and the operator's keys one can push to the device.
"""

from uuid import UUID

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from push_notifications.models import APNSDevice, GCMDevice, WebPushDevice, WNSDevice

from accounts.admin import ReadOnlyAdmin
from notifications.models import Breaker, Delivery, Digest, FanOut, Notification, Preferences, PushDevice
from notifications.selectors.trace import trace_for_staff
from notifications.services import preferences as services

# Their actions use senders that skip our decisions and lose the providers' answers.
for _table in (APNSDevice, GCMDevice, WebPushDevice, WNSDevice):
    admin.site.unregister(_table)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    """The outcome of each push to each device, and the trace of a message."""

    list_display = (
        "decided_at", "user", "kind", "provider", "outcome", "reason", "attempts", "answered_at", "trace_of_message"
    )  # fmt: skip
    list_filter = ("outcome", "provider", "kind", ("decided_at", admin.DateFieldListFilter))
    list_select_related = ("user",)
    searched_ids = ("id", "message_id", "user_id")
    searched_users = ("user",)
    search_help_text = "A whole username, or the id of a message, a person or a delivery."

    @admin.display(description="message")
    def trace_of_message(self, delivery: Delivery) -> str:
        if delivery.message_id is None:
            return "—"
        return format_html('<a href="{}">trace</a>', trace_address(delivery.message_id))

    def get_urls(self) -> list[URLPattern]:
        own = path(
            "trace/<uuid:message_id>", self.admin_site.admin_view(self.trace), name="notifications_delivery_trace"
        )
        urls: list[URLPattern] = super().get_urls()
        return [own, *urls]

    def trace(self, request: HttpRequest, message_id: UUID) -> HttpResponse:
        """Show the trace of a message, step by step and device by device, but never its text."""
        if not self.has_view_permission(request):
            raise Http404
        trace = trace_for_staff(message_id)
        if trace is None:
            raise Http404
        context = {**self.admin_site.each_context(request), "title": "Trace of a message", "trace": trace}
        return TemplateResponse(request, "notifications/trace.html", context)


def trace_address(message_id: UUID) -> str:
    """Return the address at which the admin shows the trace of a message."""
    return reverse("admin:notifications_delivery_trace", args=[message_id])


@admin.register(FanOut)
class FanOutAdmin(ReadOnlyAdmin):
    """Messages for which pushes were decided, or are still to be."""

    list_display = ("sent_at", "message_id", "conversation_id", "next_at", "decided_at")
    searched_ids = ("message_id",)
    search_help_text = "The id of a message."


@admin.register(PushDevice)
class PushDeviceAdmin(ReadOnlyAdmin):
    """The push addresses of people's devices."""

    list_display = ("user", "provider", "session", "sandbox", "badge", "created_at")
    list_filter = ("provider", "sandbox")
    list_select_related = ("user", "session")
    searched_ids = ("id", "user_id", "session_id")
    searched_users = ("user",)
    search_help_text = "A whole username, or the id of a device, a person or a session."
    fields = ("id", "user", "session", "provider", "sandbox", "badge", "created_at", "registered_at")
    readonly_fields = fields


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    """The lists in people's apps."""

    list_display = ("created_at", "user", "kind", "conversation_id", "sequence", "read_at")
    list_filter = ("kind",)
    list_select_related = ("user",)
    searched_ids = ("id", "user_id")
    searched_users = ("user",)
    search_help_text = "A whole username, or the id of a person."


@admin.register(Preferences)
class PreferencesAdmin(ReadOnlyAdmin):
    """What people want to be notified of; only they change it. A person who never changed anything has no row."""

    list_display = ("user", "push", "email", "preview", "level", "quiet_from", "quiet_until", "paused_until")
    list_filter = ("push", "email", "preview", "level")
    list_select_related = ("user",)
    searched_ids = ("user_id",)
    searched_users = ("user",)
    search_help_text = "A whole username, or the id of a person."


@admin.register(Breaker)
class BreakerAdmin(ReadOnlyAdmin):
    """Providers that failed lately."""

    list_display = ("name", "failures", "open_until", "changed_at")
    ordering = ("name",)


@admin.register(Digest)
class DigestAdmin(ReadOnlyAdmin):
    """The newest mail about unread messages to each person. Staff can turn it off for a person who asks for that."""

    list_display = ("user", "outcome", "reason", "attempts", "sent_at", "next_at")
    list_filter = ("outcome",)
    list_select_related = ("user",)
    searched_ids = ("user_id",)
    searched_users = ("user",)
    search_help_text = "A whole username, or the id of a person."
    actions = ("stop_mail",)

    def has_stop_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("notifications.change_preferences")

    @admin.action(description="Send no more mail about unread messages", permissions=["stop"])
    def stop_mail(self, request: HttpRequest, queryset: QuerySet[Digest]) -> None:
        stopped = list(queryset.exclude(user__notification_preferences__email=False))
        for digest in stopped:
            services.stop_mail(user_id=digest.user_id)
            self.log_change(request, digest, "Mail stopped.")
        self.message_user(request, f"Stopped: {len(stopped)}.", messages.SUCCESS if stopped else messages.WARNING)
