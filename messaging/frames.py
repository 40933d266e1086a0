"""Bodies and frames of messages and receipts."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from uuid import UUID

from django.conf import settings
from msgspec import Meta

from conversations.frames import PageSize, SequenceNumber
from messaging.models import Message
from realtime.wire.bodies import Body, Id, Request, Time
from realtime.wire.frames import CommandId, Frame

if TYPE_CHECKING:
    Type = str
else:
    # The choices of the model are the only list of these values; a body with any other value is refused.
    Type = Literal[*Message.Type.values]
Status = Literal["sent", "delivered", "read"]
Label = Annotated[str, Meta(max_length=200, pattern=r"^[^\x00]*$")]


class Mention(Request, kw_only=True):
    """A mention of a person in a text: offset and length of the name, in Unicode code points."""

    user_id: UUID
    offset: int
    length: int


# Positions and people are checked explicitly, so that the refusal names the field `mentions`.
Mentions = Annotated[list[Mention], Meta(max_length=settings.LIMITS.mentions_per_message)]


class MessageBody(Body, kw_only=True):
    """A message. Deleted for everyone, it keeps ids, sequence, sender and times, and is empty otherwise.

    `status` depends on the viewer: for the sender, whether all others got or read it; for others, whether they did.
    """

    id: Id
    client_message_id: Id | None
    conversation_id: Id
    sequence: int
    sender_user_id: Id | None
    message_type: Type
    content: str
    metadata: dict[str, Any]
    reply_to_id: Id | None
    status: Status
    created_at: Time
    edited_at: Time | None
    deleted_at: Time | None
    mentions: list[Mention] = []
    # No feature fills these yet.
    attachments: list[Any] = []
    reactions: list[Any] = []


class MessagePage(Body, kw_only=True):
    """Part of a conversation's history, newest first; `has_more` in the direction of paging."""

    results: list[MessageBody]
    has_more: bool


class Location(Request, kw_only=True):
    """Metadata of a location message, in degrees."""

    latitude: Annotated[float, Meta(ge=-90, le=90)]
    longitude: Annotated[float, Meta(ge=-180, le=180)]
    label: Label = ""


class ReceiptBody(Body, kw_only=True):
    """When a message was delivered to, and read by, one person; null if it has not been yet."""

    user_id: Id
    delivered_at: Time | None
    read_at: Time | None


class ReceiptList(Body):
    """Stands for a JSON array of receipts in the OpenAPI file."""

    array_of: ClassVar[type[Body]] = ReceiptBody
    # Never sent; it makes the type of the items known to the file.
    items: list[ReceiptBody]


# --- Requests and commands ----------------------------------------------------------------


class MessageDraft(Request, kw_only=True):
    """A message to be sent, without its conversation.

    A text needs content and may mention people. A location has its coordinates in `metadata` and may have content.
    """

    content: str = ""
    message_type: Literal["text", "location"] = "text"
    client_message_id: UUID | None = None
    reply_to_id: UUID | None = None
    metadata: dict[str, Any] = {}
    mentions: Mentions = []


class PostMessage(MessageDraft, kw_only=True):
    """A message to be sent. Without a client_message_id, a repeated request sends a second message."""

    conversation_id: UUID


class SendMessage(PostMessage, tag_field="type", tag="send_message", kw_only=True):
    """A message to be sent over the socket, where the client_message_id is required."""

    client_message_id: UUID
    id: CommandId | None = None


class EditMessage(Request, kw_only=True):
    """The new text and mentions of a message."""

    content: str
    mentions: Mentions = []


class DeleteQuery(Request, rename={"for_": "for"}, kw_only=True):
    """For whom a message is deleted."""

    for_: Literal["everyone"]


class HistoryQuery(Request, kw_only=True):
    """A part of the history: the newest, those before or after a sequence, or those around one."""

    before: SequenceNumber | None = None
    after: SequenceNumber | None = None
    around: SequenceNumber | None = None
    limit: PageSize = settings.LIMITS.page_size


class _Receipt(Request, kw_only=True):
    """Everything up to and including a message, or a sequence of a conversation.

    `read_at` is ignored: the server's clock decides.
    """

    message_id: UUID | None = None
    conversation_id: UUID | None = None
    sequence: SequenceNumber | None = None
    read_at: Any = None
    id: CommandId | None = None

    def __post_init__(self) -> None:
        by_message = self.message_id is not None
        by_sequence = self.conversation_id is not None and self.sequence is not None
        partly = self.conversation_id is not None or self.sequence is not None
        if by_message == by_sequence or (by_message and partly):
            raise ValueError("message_id: give either message_id, or conversation_id and sequence")


class DeliveryReceipt(_Receipt, tag_field="type", tag="delivery_receipt", kw_only=True):
    """This device has received everything up to here."""


class ReadReceipt(_Receipt, tag_field="type", tag="read_receipt", kw_only=True):
    """This person has read everything up to here."""


# --- Frames -------------------------------------------------------------------------------


class MessageAck(Frame, tag="message_ack", kw_only=True):
    """The message is committed. `duplicate`: an earlier request committed it; the answer is about that message."""

    client_message_id: Id
    message_id: Id
    conversation_id: Id
    sequence: int
    created_at: Time
    duplicate: bool = False
    id: str | None = None


class NewMessage(Frame, tag="new_message", kw_only=True):
    """There is a new message."""

    conversation_id: Id
    sequence: int
    message: MessageBody


class MessageUpdated(Frame, tag="message_updated", kw_only=True):
    """A message was edited."""

    conversation_id: Id
    sequence: int
    message: MessageBody


class MessageDeleted(Frame, tag="message_deleted", kw_only=True):
    """A message was deleted for everyone; `message` is the tombstone."""

    conversation_id: Id
    sequence: int
    message: MessageBody


class MessageDelivered(Frame, tag="message_delivered", kw_only=True):
    """A device of a person received everything up to here. `message_id` is the newest message that this covers."""

    conversation_id: Id
    up_to_sequence: int
    message_id: Id | None
    user_id: Id
    delivered_at: Time


class MessageRead(Frame, tag="message_read", kw_only=True):
    """A person read everything up to here. `message_id` is the newest message that this covers."""

    conversation_id: Id
    up_to_sequence: int
    message_id: Id | None
    reader_id: Id
    read_at: Time


class ConversationRead(Frame, tag="conversation_read", kw_only=True):
    """The viewer read up to here on another of their devices. The counts are those after the event `last_sequence`."""

    conversation_id: Id
    up_to_sequence: int
    unread_count: int
    mention_count: int
    last_sequence: int
