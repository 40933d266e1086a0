"""Finds receipts whose announcement this process may have missed, for the sweep."""

from collections.abc import Callable

from django.db.models import Max

from conversations.models import Conversation
from messaging.models import ReceiptMove
from messaging.selectors import Unread, unread_counts, with_newest_message
from messaging.services.receipts import ephemeral_events_of
from realtime.database.look_back import LookBack
from realtime.registry import registry
from realtime.wire.announcements import EphemeralEvent


class RecentReceipts:
    """Finds receipts whose announcement this process may have missed."""

    def __init__(self) -> None:
        self._look_back = LookBack(first=0)

    def __call__(self, seen: Callable[[int], bool]) -> list[EphemeralEvent]:
        """Return the notices of moves committed lately that were not seen."""
        floor = self._look_back.floor(ReceiptMove.objects.aggregate(newest=Max("id"))["newest"] or 0)
        ids = ReceiptMove.objects.filter(id__gt=floor).values_list("id", flat=True)
        unseen = [id for id in ids if not seen(id * 2)]
        moves = list(with_newest_message(ReceiptMove.objects.filter(id__in=unseen)).order_by("id"))
        conversations = Conversation.objects.in_bulk({move.conversation_id for move in moves})
        notices = []
        for move in moves:
            unread = unread_counts(move.user_id, [move.conversation_id]).get(move.conversation_id, Unread(0, 0))
            notices += ephemeral_events_of(move, conversations[move.conversation_id], unread)
        return notices


registry.sweep_reads(RecentReceipts())
