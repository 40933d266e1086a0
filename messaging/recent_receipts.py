"""Finds receipt changes for the sweep whose announcement this process may have missed."""

from collections.abc import Callable

from django.db.models import Max

from conversations.models import Conversation
from messaging.models import ReceiptChange
from messaging.selectors import Unread, unread_counts, with_newest_message
from messaging.services.receipts import ephemeral_events_of, receipt_key
from realtime.database.look_back import LookBack
from realtime.registry import registry
from realtime.wire.announcements import EphemeralEvent, RowKey


class RecentReceipts:
    """Reads receipt changes above a floor, which follows the newest one with a delay (`LookBack`)."""

    def __init__(self) -> None:
        self._look_back = LookBack(first=0)

    def __call__(self, seen: Callable[[RowKey], bool]) -> list[EphemeralEvent]:
        """Return the announcements of recently committed changes that this process has not seen."""
        floor = self._look_back.floor(ReceiptChange.objects.aggregate(newest=Max("id"))["newest"] or 0)
        ids = ReceiptChange.objects.filter(id__gt=floor).values_list("id", flat=True)
        unseen = [id for id in ids if not seen(receipt_key(id))]
        changes = list(with_newest_message(ReceiptChange.objects.filter(id__in=unseen)).order_by("id"))
        conversations = Conversation.objects.in_bulk({change.conversation_id for change in changes})
        announcements = []
        for change in changes:
            conversation = conversations[change.conversation_id]
            nothing = Unread(0, 0, conversation.last_sequence)  # of a person who has left
            unread = unread_counts(change.user_id, [conversation.id]).get(conversation.id, nothing)
            announcements += ephemeral_events_of(change, conversation, unread)
        return announcements


registry.sweep_reads(RecentReceipts())
