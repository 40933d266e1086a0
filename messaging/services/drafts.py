"""Drafts of messages: all checks that need no database."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec
from django.conf import settings

from accounts.models import new_id
from messaging.frames import Location, Mention, MessageDraft, Type
from realtime.wire.bodies import convert, encode
from realtime.wire.errors import DomainError, Invalid
from realtime.wire.text import is_blank

# A client that repeats a send may write the keys of an object in another order.
_encode_sorted = msgspec.json.Encoder(order="sorted").encode


class Send(msgspec.Struct):
    """A message to be written, which has passed all checks that need no database."""

    conversation_id: UUID
    sender_id: UUID
    client_message_id: UUID
    message_type: Type = "text"
    content: str = ""
    metadata: dict[str, Any] = {}
    reply_to_id: UUID | None = None
    mentions: Sequence[Mention] = ()

    @property
    def digest(self) -> UUID:
        """128 bits of a hash of everything that a repetition of this send must have in common with it."""
        payload: tuple[Any, ...] = (
            self.conversation_id,
            self.message_type,
            self.content,
            self.metadata,
            self.reply_to_id,
        )
        if self.mentions:  # sends without mentions keep the digest that they had before mentions existed
            payload = (*payload, self.mentions)
        return UUID(bytes=hashlib.sha256(_encode_sorted(payload)).digest()[:16])


def checked_send(draft: MessageDraft, *, conversation_id: UUID, sender_id: UUID) -> Send:
    """Check a draft and return it as a send; a draft without a client_message_id gets one.

    :raises Invalid: the text is blank or too long, the location is wrong, the metadata are too deep or too large, or
        mentions are misplaced.
    """
    check_text(draft.content, blank_allowed=draft.message_type == "location")
    metadata = draft.metadata
    if draft.message_type == "location":
        try:
            convert(metadata, Location)
        except DomainError as error:
            raise Invalid(metadata=error.message) from error
        if draft.mentions:
            raise Invalid(mentions="only text mentions people")
    if metadata:
        _check_metadata(metadata)
    most = settings.LIMITS.stored_message_bytes
    if len(draft.content) * 4 > most or metadata:
        size = len(draft.content.encode()) + (len(encode(metadata)) if metadata else 0)
        if size > most:
            raise Invalid(content=f"text and metadata together are larger than {most} bytes")
    return Send(
        conversation_id=conversation_id,
        sender_id=sender_id,
        client_message_id=draft.client_message_id or new_id(),
        message_type=draft.message_type,
        content=draft.content,
        metadata=metadata,
        reply_to_id=draft.reply_to_id,
        mentions=checked_mentions(draft.mentions, draft.content) if draft.mentions else (),
    )


def checked_mentions(mentions: Iterable[Mention], content: str) -> list[Mention]:
    """Check the positions of mentions in a text, and return the mentions in their order in the text.

    :raises Invalid: a mention is empty, reaches beyond the text or overlaps another one.
    """
    ordered = sorted(mentions, key=lambda mention: mention.offset)
    end = 0
    for mention in ordered:
        if mention.length < 1:
            raise Invalid(mentions="a length is at least 1")
        if mention.offset < 0 or mention.offset + mention.length > len(content):
            raise Invalid(mentions="one lies outside the text; offset and length count code points")
        if mention.offset < end:
            raise Invalid(mentions="two overlap")
        end = mention.offset + mention.length
    return ordered


def check_text(content: str, *, blank_allowed: bool = False) -> None:
    """Check the text of a message.

    :raises Invalid: it shows nothing, is too long in code points, or contains NUL.
    """
    if not blank_allowed and is_blank(content):
        raise Invalid(content="must not be blank")
    if len(content) > settings.LIMITS.text_code_points:
        raise Invalid(content=f"longer than {settings.LIMITS.text_code_points} code points")
    if "\x00" in content:
        raise Invalid(content="NUL is not allowed")


def _check_metadata(metadata: dict[str, Any]) -> None:
    limits = settings.LIMITS
    keys = 0
    waiting: list[tuple[Any, int]] = [(metadata, 1)]
    while waiting:
        value, depth = waiting.pop()
        if isinstance(value, dict | list):
            if depth > limits.json_depth:
                raise Invalid(metadata=f"nested deeper than {limits.json_depth}")
            inside: Iterable[Any] = value
            if isinstance(value, dict):
                keys += len(value)
                if any("\x00" in key for key in value):
                    raise Invalid(metadata="NUL is not allowed")
                inside = value.values()
            waiting += [(each, depth + 1) for each in inside]
        elif isinstance(value, str):
            if "\x00" in value:
                raise Invalid(metadata="NUL is not allowed")
        elif isinstance(value, int | float) and not _is_moderate(value):
            raise Invalid(metadata="a number must be 0 or lie between 1e-12 and 2 to the 53rd, or the same below 0")
    if keys > limits.json_keys:
        raise Invalid(metadata=f"more than {limits.json_keys} keys")


def _is_moderate(number: float) -> bool:
    """Return whether every client can represent a number, and PostgreSQL stores it in about the same size.

    PostgreSQL writes out all digits: 1e308, which has five characters, comes back with 309.
    """
    return number == 0 or 1e-12 <= abs(number) <= 2**53
