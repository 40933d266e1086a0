"""Bodies and frames of conversations, participants and catch-up."""

from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from django.conf import settings
from msgspec import UNSET, Meta, UnsetType

from conversations.models import Conversation, Participant
from realtime.wire.bodies import Body, Id, IdText, Request, Time, in_utc
from realtime.wire.frames import Command, Frame

NO_NUL = r"^[^\x00]*$"
Name = Annotated[str, Meta(max_length=100, pattern=NO_NUL)]
Description = Annotated[str, Meta(max_length=1000, pattern=NO_NUL)]
SequenceNumber = Annotated[int, Meta(ge=0, le=2**53)]
PageSize = Annotated[int, Meta(ge=1, le=settings.LIMITS.page_size_max)]
if TYPE_CHECKING:
    Type = str
    Role = str
    Level = str
else:
    # The choices of the models are the only list of these values; a body with any other value is refused.
    Type = Literal[*Conversation.Type.values]
    Role = Literal[*Participant.Role.values]
    Level = Literal[*Participant.Level.values]
# A message body, which the messaging app defines.
MessageOnTop = Annotated[Any, Meta(extra_json_schema={"$ref": "#/components/schemas/MessageBody"})]


class ParticipantBody(Body, kw_only=True):
    """A person in a conversation."""

    user_id: Id
    username: str
    display_name: str
    avatar_url: str
    role: Role
    can_send_messages: bool
    joined_at: Time
    last_read_sequence: int
    last_delivered_sequence: int


class MyPlace(Body, kw_only=True):
    """The viewer's own participant in a conversation; nobody else sees it. `draft` is always null so far."""

    role: Role
    joined_at: Time
    last_read_sequence: int
    muted_until: Time | None
    pinned: bool
    archived: bool
    notification_level: Level
    draft: str | None = None


class ConversationSettings(Body, kw_only=True):
    """Settings of a conversation that apply to all participants."""

    notifications_enabled: bool


class ConversationBody(Body, kw_only=True):
    """A conversation as one viewer sees it. `participants` has at most 50; `last_message` is a message body."""

    id: Id
    type: Type
    name: str
    display_name: str
    description: str
    avatar_url: str
    created_by: Id | None
    created_at: Time
    updated_at: Time
    last_sequence: int
    last_message: MessageOnTop | None
    participant_count: int
    participants: list[ParticipantBody]
    unread_count: int
    mention_count: int
    me: MyPlace
    my_permissions: list[str]
    settings: ConversationSettings


class ConversationPage(Body, kw_only=True):
    """Conversations, the most active first."""

    results: list[ConversationBody]
    next: str | None


class ParticipantPage(Body, kw_only=True):
    """Participants in the order in which they joined."""

    results: list[ParticipantBody]
    next: str | None


# --- Requests -----------------------------------------------------------------------------


class CreateConversation(Request, kw_only=True):
    """A direct conversation (exactly one other person) or a group."""

    type: Type
    participant_ids: Annotated[list[UUID], Meta(max_length=settings.LIMITS.group_participants)]
    name: Name = ""
    description: Description = ""


class UpdateSettings(Request, kw_only=True):
    """Changes of a group's settings; absent fields stay as they are."""

    notifications_enabled: bool | UnsetType = UNSET


class UpdateConversation(Request, kw_only=True):
    """Changes of a group; absent fields stay as they are."""

    name: Name | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    avatar_url: Annotated[str, Meta(max_length=500, pattern=r"^(https://[^\x00\s]+)?$")] | UnsetType = UNSET
    settings: UpdateSettings | UnsetType = UNSET


class AddParticipants(Request, kw_only=True):
    """People to add to a group."""

    user_ids: Annotated[list[UUID], Meta(min_length=1, max_length=settings.LIMITS.group_participants)]


class UpdateParticipant(Request, kw_only=True):
    """Changes of a participant; absent fields stay as they are."""

    role: Role | UnsetType = UNSET
    can_send_messages: bool | UnsetType = UNSET


class UpdateMyPlace(Request, kw_only=True):
    """Changes of my own settings for a conversation; absent fields stay as they are. `muted_until` null: not muted."""

    muted_until: Time | UnsetType | None = UNSET
    pinned: bool | UnsetType = UNSET
    archived: bool | UnsetType = UNSET
    notification_level: Level | UnsetType = UNSET

    def __post_init__(self) -> None:
        self.muted_until = in_utc("muted_until", self.muted_until)


class ConversationListQuery(Request, kw_only=True):
    """Filters and page of the conversation list. Without `archived`, both archived and other conversations."""

    cursor: Annotated[str, Meta(max_length=200)] | None = None
    limit: PageSize = settings.LIMITS.page_size
    unread: bool = False
    archived: bool | None = None
    q: Annotated[str, Meta(max_length=100, pattern=NO_NUL)] = ""


class PageQuery(Request, kw_only=True):
    """A page of a list."""

    cursor: Annotated[str, Meta(max_length=200)] | None = None
    limit: PageSize = settings.LIMITS.page_size


class EventsQuery(Request, kw_only=True):
    """The part of a log above `after`."""

    after: SequenceNumber = 0
    epoch: UUID | None = None
    limit: Annotated[int, Meta(ge=1, le=settings.LIMITS.catch_up_events)] = settings.LIMITS.page_size_max


class LeaveQuery(Request, kw_only=True):
    """How to leave a conversation."""

    mode: Literal["leave"] = "leave"


# --- Catch-up -----------------------------------------------------------------------------


Cursors = Annotated[dict[UUID, SequenceNumber], Meta(max_length=10_000)]


class EventPage(Body, kw_only=True):
    """Part of a conversation's log; each event is the frame that was sent live."""

    events: list[Any]
    last_sequence: int
    has_more: bool


class SyncRequest(Request, kw_only=True):
    """A client's cursor per conversation, and their epoch. `since` is the `server_time` of its last catch-up."""

    cursors: Cursors
    epoch: UUID | None = None
    since: Time | None = None


class SyncAnswer(Body, kw_only=True):
    """What the client missed, the heads of all its conversations, and the conversations that it must load anew.

    `complete` is false if there is more than fits into one answer: ask again with the new cursors.
    """

    events: dict[str, list[Any]]
    receipts: list[Any]
    heads: dict[str, int]
    resync: list[str]
    complete: bool
    epoch: IdText
    server_time: Time


class Sync(Command, tag="sync", kw_only=True):
    """Catch-up over the socket: the events come as frames, then `sync_complete`."""

    cursors: Cursors
    epoch: UUID | None = None
    since: Time | None = None


class SyncComplete(Frame, tag="sync_complete", kw_only=True):
    """Everything that the client missed has been sent."""

    heads: dict[str, int]
    resync: list[str]
    epoch: IdText
    server_time: Time
    id: str | None = None


# --- Events -------------------------------------------------------------------------------


class ConversationCreated(Frame, tag="conversation_created", kw_only=True):
    """A conversation was created."""

    conversation_id: Id
    sequence: int
    conversation: ConversationBody


class ConversationUpdated(Frame, tag="conversation_updated", kw_only=True):
    """Name, description, avatar, settings or the viewer's permissions changed."""

    conversation_id: Id
    sequence: int
    conversation: ConversationBody


class ParticipantAdded(Frame, tag="participant_added", kw_only=True):
    """A person joined; a client that does not know the conversation loads it."""

    conversation_id: Id
    sequence: int
    participant: ParticipantBody


class ParticipantUpdated(Frame, tag="participant_updated", kw_only=True):
    """A participant's role or right to write changed."""

    conversation_id: Id
    sequence: int
    participant: ParticipantBody


class ParticipantRemoved(Frame, tag="participant_removed", kw_only=True):
    """A participant left or was removed."""

    conversation_id: Id
    sequence: int
    user_id: Id


class MyPlaceUpdated(Frame, tag="my_place_updated", kw_only=True):
    """The viewer changed their own settings for the conversation, on this device or another."""

    conversation_id: Id
    sequence: int
    me: MyPlace
