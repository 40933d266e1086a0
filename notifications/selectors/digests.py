"""What a digest tells somebody: their conversations with messages that stayed unread."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from accounts.models import User
from accounts.selectors import blocked_pairs
from conversations.frames import ConversationBody, ConversationListQuery
from conversations.selectors import conversation_page
from messaging.models import Mention, Message
from notifications.models import Preferences

# A mail names so many conversations, and so many messages of each; the rest are numbers.
CONVERSATIONS = 20
LOOKED_AT = 200
MESSAGES = 3
EXCERPT_CODE_POINTS = 200
Level = Preferences.Level


@dataclass(frozen=True, slots=True)
class Line:
    """One message in a digest: who wrote, and the beginning of it."""

    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """One conversation in a digest. `lines` only for who wants to see sender and text.

    For who wants mentions only, everything else is left out, of the count too.
    """

    name: str
    unread_count: int
    only_mentions: bool
    lines: Sequence[Line]


def digest_of(
    user: User, *, preferences: Preferences, older_than: datetime.datetime, since: datetime.datetime | None
) -> list[Part]:
    """Return the conversations in which messages of others, written after `since` and before `older_than`, are unread.

    Not those that the person muted, wants nothing of, or whose notifications are off; and nothing of people who are
    kept apart from them.
    """
    apart = blocked_pairs([user.pk])[user.pk]
    page = conversation_page(user.pk, ConversationListQuery(unread=True, limit=LOOKED_AT))
    parts = []
    for body in page.results:
        level = _level(body, older_than, preferences)
        if level == Level.NONE:
            continue
        unread = Message.objects.filter(
            conversation_id=body.id,
            sequence__gt=body.me.last_read_sequence,
            created_at__lte=older_than,
            deleted_at=None,
        ).exclude(sender_id__in={user.pk, *apart})
        unread = unread.filter(sender__isnull=False).select_related("sender").order_by("-sequence")
        if since is not None:
            unread = unread.filter(created_at__gt=since)
        if only_mentions := level == Level.MENTIONS:
            unread = unread.filter(
                id__in=Mention.objects.filter(user=user, conversation_id=body.id).values("message_id")
            )
        newest = list(unread[:MESSAGES])
        if newest:
            lines = [_line(message) for message in reversed(newest)] if preferences.preview else []
            # A direct conversation is called as the sender is.
            named = preferences.preview or body.type != "direct"
            name = plain(body.display_name) if named else "Direct conversation"
            count = body.mention_count if only_mentions else body.unread_count
            parts.append(Part(name, count, only_mentions, lines))
        if len(parts) == CONVERSATIONS:
            break
    return parts


def plain(text: str) -> str:
    """Return a text on one line, without characters that steer the display: anybody may have written it."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _level(body: ConversationBody, now: datetime.datetime, preferences: Preferences) -> str:
    """Return what somebody wants to be told of a conversation: the stricter of what they said of it and in general."""
    muted = body.me.muted_until is not None and body.me.muted_until > now
    levels = {body.me.notification_level, preferences.level}
    if muted or not body.settings.notifications_enabled or Level.NONE in levels:
        return Level.NONE
    return Level.MENTIONS if Level.MENTIONS in levels else Level.ALL


def _line(message: Message) -> Line:
    assert message.sender is not None
    text = plain(message.content[:EXCERPT_CODE_POINTS]) or message.message_type.capitalize()
    return Line(plain(message.sender.shown_name), text)
