"""The formulas of unread messages and mentions, each for Python, the ORM and SQL.

Unread messages = messages in the conversation since the read position, less the participant's own among them. A
message that is deleted before it is read counts as read from then on.
Unread mentions = mentions of the participant since the read position.
"""

from typing import Protocol

from django.db.models import F
from django.db.models.expressions import Combinable


class ReadCounters(Protocol):
    """The counters of a participant that the formulas use; `read_` ones as they were at the read position."""

    sent_count: int
    read_message_count: int
    read_sent_count: int
    mentioned_count: int
    read_mentioned_count: int


def unread_count(participant: ReadCounters, message_count: int) -> int:
    """Return a participant's number of unread messages, given the `message_count` of the conversation."""
    return (message_count - participant.read_message_count) - (participant.sent_count - participant.read_sent_count)


def unread_in_orm() -> Combinable:
    """Return `unread_count` as an expression for queries of participants."""
    return (F("conversation__message_count") - F("read_message_count")) - (F("sent_count") - F("read_sent_count"))


def unread_in_sql(participant: str, conversation: str) -> str:
    """Return `unread_count` as SQL, given the aliases of the tables of participants and conversations."""
    p, c = participant, conversation
    return f"(({c}.message_count - {p}.read_message_count) - ({p}.sent_count - {p}.read_sent_count))"


def mention_count(participant: ReadCounters) -> int:
    """Return a participant's number of unread mentions."""
    return participant.mentioned_count - participant.read_mentioned_count


def mentions_in_orm() -> Combinable:
    """Return `mention_count` as an expression for queries of participants."""
    return F("mentioned_count") - F("read_mentioned_count")
