"""Conversations, participants and the event log in the admin, read-only: only services write them."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join

from accounts.admin import ReadOnlyAdmin
from conversations.event_registry import event_registry
from conversations.models import Conversation, Event, Participant
from conversations.selectors import unread_count


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Conversations with their counters and links to the lists of everything that belongs to them."""

    list_display = (
        "__str__",
        "type",
        "participant_count",
        "message_count",
        "last_sequence",
        "last_activity_at",
        "created_by",
        "created_at",
    )
    list_filter = ("type",)
    list_select_related = ("created_by",)
    searched_ids = ("id", "participants__user_id")
    searched_users = ("participants__user",)
    search_help_text = "Part of a name, a whole username of somebody in it, or the id of a conversation or a person."
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "type",
                    "name",
                    "description",
                    "avatar_url",
                    "created_by",
                    "notifications_enabled",
                    "belonging",
                )
            },
        ),
        ("Dates", {"fields": ("created_at", "updated_at", "last_activity_at")}),
        ("Counters", {"fields": ("last_sequence", "last_message_sequence", "message_count", "participant_count")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("id", "belonging")

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find conversations as all lists do, and also by their names."""
        found, _ = super().get_search_results(request, queryset.order_by(), search_term)
        if search_term.strip():
            wanted = Q(pk__in=found.values("pk")) | Q(name__icontains=search_term.strip())
            return queryset.filter(wanted), False
        return queryset, False

    @admin.display(description="what belongs to it")
    def belonging(self, conversation: Conversation) -> str:
        """Link to the lists, in all apps, of the rows that belong to a conversation."""
        lists = [
            (reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"), model)
            for model in self.admin_site._registry
            if any(field.name == "conversation" for field in model._meta.fields)
        ]
        return format_html_join(
            " · ",
            '<a href="{}?conversation__id__exact={}" class="text-primary-600 dark:text-primary-500">{}</a>',
            ((address, conversation.pk, model._meta.verbose_name_plural) for address, model in lists),
        )


class CurrentMemberFilter(admin.SimpleListFilter):
    """Whether the person is still in the conversation."""

    title = "presence in it"
    parameter_name = "there"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("now", "In it now"), ("left", "Left or removed")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        match self.value():
            case "now":
                return queryset.filter(left_at=None)
            case "left":
                return queryset.exclude(left_at=None)
        return queryset


@admin.register(Participant)
class ParticipantAdmin(ReadOnlyAdmin):
    """Current and former participants, with their delivery and read positions."""

    list_display = (
        "user",
        "conversation",
        "role",
        "can_send_messages",
        "joined_at",
        "left_at",
        "last_delivered_sequence",
        "last_read_sequence",
        "unread",
    )
    list_filter = (CurrentMemberFilter, "role", "can_send_messages", "notification_level", "conversation__type")
    list_select_related = ("user", "conversation")
    searched_ids = ("conversation_id", "user_id")
    searched_users = ("user",)
    search_help_text = "A whole username, or the id of a conversation or a person."
    fieldsets = (
        (None, {"fields": ("user", "conversation", "role", "can_send_messages")}),
        ("Stay", {"fields": ("joined_at", "left_at", "history_from")}),
        (
            "Receipts",
            {
                "fields": (
                    ("last_delivered_sequence", "last_delivered_at"),
                    ("last_read_sequence", "last_read_at"),
                    "unread",
                )
            },
        ),
        (
            "Counters",
            {
                "fields": (
                    ("sent_count", "mentioned_count"),
                    ("read_message_count", "read_sent_count", "read_mentioned_count"),
                )
            },
        ),
        ("Their own settings", {"fields": ("muted_until", "notification_level", "pinned", "archived")}),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("unread",)

    @admin.display(description="unread")
    def unread(self, participant: Participant) -> int | None:
        return None if participant.left_at else unread_count(participant, participant.conversation.message_count)


class KindFilter(admin.SimpleListFilter):
    """Filters events by their kind; offers the kinds that the apps declare."""

    title = "kind"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in sorted(event_registry.kinds)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Event]) -> QuerySet[Event]:
        return queryset.filter(kind=self.value()) if self.value() else queryset


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """The event log, in order. Events refer to what changed and hold no text."""

    list_display = (
        "sequence",
        "kind",
        "conversation",
        "subject_sequence",
        "message_id",
        "user_id",
        "actor_id",
        "created_at",
    )
    list_filter = (KindFilter,)
    list_select_related = ("conversation",)
    searched_ids = ("conversation_id",)
    search_help_text = "The id of a conversation."
    fields = ("conversation", *(name for name in list_display if name != "conversation"))
