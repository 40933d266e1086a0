"""What a digest says: a person's conversations with messages that stayed unread."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from accounts.models import User
from accounts.selectors import blocked_pairs
from conversations.frames import ConversationBody, ConversationListQuery
from conversations.selectors import conversation_page
from messaging.models import Mention, Message
from notifications.decision import Level, strictest
from notifications.models import Preferences

# A mail names at most so many conversations, and so many messages of each; it gives only the number of the others.
CONVERSATIONS = 20
LOOKED_AT = 200
MESSAGES = 3
EXCERPT_CODE_POINTS = 200


@dataclass(frozen=True, slots=True)
class DigestLine:
    """One message in a digest: who wrote, and the beginning of it."""

    sender: str
    text: str


@dataclass(frozen=True, slots=True)
class DigestPart:
    """One conversation in a digest. `lines` is empty unless the person turned `preview` on.

    With `only_mentions`, `unread_count` and `lines` are of the messages that mention the person.
    """

    name: str
    unread_count: int
    only_mentions: bool
    lines: Sequence[DigestLine]


def digest_of(
    user: User, *, preferences: Preferences, older_than: datetime.datetime, since: datetime.datetime | None
) -> list[DigestPart]:
    """Return the conversations in which messages of others, written after `since` and before `older_than`, are unread.

    Left out are conversations that the person muted or set to level NONE, or whose notifications are off; and
    messages of people in a blocked pair with them.
    """
    blocked = blocked_pairs([user.pk])[user.pk]
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
        ).exclude(sender_id__in={user.pk, *blocked})
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
            # The name of a direct conversation is that of the sender.
            named = preferences.preview or body.type != "direct"
            name = plain(body.display_name) if named else "Direct conversation"
            count = body.mention_count if only_mentions else body.unread_count
            parts.append(DigestPart(name, count, only_mentions, lines))
        if len(parts) == CONVERSATIONS:
            break
    return parts


def plain(text: str) -> str:
    """Return a text on one line, without control characters for the display: anybody may have written it."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _level(body: ConversationBody, now: datetime.datetime, preferences: Preferences) -> Level:
    """Return the stricter of the person's two levels, for this conversation and in general; NONE if muted or off."""
    muted = body.me.muted_until is not None and body.me.muted_until > now
    if muted or not body.settings.notifications_enabled:
        return Level.NONE
    return strictest((Level(body.me.notification_level), Level(preferences.level)))


def _line(message: Message) -> DigestLine:
    assert message.sender is not None
    text = plain(message.content[:EXCERPT_CODE_POINTS]) or message.message_type.capitalize()
    return DigestLine(plain(message.sender.shown_name), text)
