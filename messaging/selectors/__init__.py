"""Queries about messages and receipts, and bodies of messages as a viewer sees them."""

from messaging.selectors.messages import (
    Positions,
    bodies_for,
    history,
    message_body,
    message_frame,
    messages_at,
    own_message,
    render_events,
    visible_message,
)
from messaging.selectors.receipts import (
    Acknowledgement,
    Unread,
    acknowledgements,
    receipt_frame,
    receipts_of,
    receipts_since,
    senders_between,
    unread_counts,
    unread_of,
    with_newest_message,
)

__all__ = [
    "Acknowledgement",
    "Positions",
    "Unread",
    "acknowledgements",
    "bodies_for",
    "history",
    "message_body",
    "message_frame",
    "messages_at",
    "own_message",
    "receipt_frame",
    "receipts_of",
    "receipts_since",
    "render_events",
    "senders_between",
    "unread_counts",
    "unread_of",
    "visible_message",
    "with_newest_message",
]
