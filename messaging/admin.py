"""Messages and receipt changes in the admin, read-only: only services write them. Lists never show message texts."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.admin import ReadOnlyAdmin
from accounts.models import User
from conversations.models import Participant
from messaging.models import Message, ReceiptChange


@admin.register(Message)
class MessageAdmin(ReadOnlyAdmin):
    """Messages. Only the page of a single message shows its text, and no search looks into texts."""

    list_display = (
        "id",
        "conversation",
        "sequence",
        "sender",
        "message_type",
        "created_at",
        "edited_at",
        "deleted_at",
    )
    list_filter = (
        "message_type",
        ("edited_at", admin.EmptyFieldListFilter),
        ("deleted_at", admin.EmptyFieldListFilter),
        ("created_at", admin.DateFieldListFilter),
    )
    list_select_related = ("conversation", "sender")
    searched_ids = ("id", "conversation_id", "sender_id")
    searched_users = ("sender",)
    search_help_text = "A sender's whole username, or the id of a message, a conversation or a sender."
    fieldsets = (
        (None, {"fields": ("id", "conversation", "sequence", "sender", "client_message_id", "reply_to_id")}),
        ("What was said", {"fields": ("message_type", "content", "mentions", "metadata")}),
        ("Dates", {"fields": ("created_at", "edited_at", "deleted_at")}),
    )
    readonly_fields = ("id", "client_message_id")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        messages: QuerySet = super().get_queryset(request)
        listing = request.resolver_match is not None and str(request.resolver_match.url_name).endswith("_changelist")
        return messages.defer("content", "mentions", "metadata") if listing else messages


@admin.register(ReceiptChange)
class ReceiptChangeAdmin(ReadOnlyAdmin):
    """Movements of delivery and read positions."""

    list_display = ("user", "kind", "conversation", "from_sequence", "up_to_sequence", "moved_at", "session_id")
    list_filter = ("kind",)
    list_select_related = ("conversation", "user")
    searched_ids = ("conversation_id",)
    search_help_text = "A whole username, or the id of a conversation."

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Find a person's changes through their conversations, since the index begins with the conversation."""
        user = User.objects.named(search_term.strip())
        if user is None:
            return super().get_search_results(request, queryset, search_term)
        participants = Participant.objects.filter(user=user)
        return queryset.filter(user=user, conversation_id__in=participants.values("conversation_id")), False
