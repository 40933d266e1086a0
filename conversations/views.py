"""REST of conversations: each view translates a request, calls one service or selector, translates back."""

from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.rates import take_own_change
from accounts.requests import SignedInRequest
from conversations import catch_up, frames, selectors, services
from realtime.wire.bodies import given
from realtime.wire.errors import Invalid
from realtime.wire.rest import answer, body_of, no_content, query_of

CURSOR = OpenApiParameter("cursor", str, description="`next` of the previous page.")
LIMIT = OpenApiParameter("limit", int, description="Items on a page, 1 to 200; 50 when absent.")
TAGS = ["conversations"]


class ConversationsView(APIView):
    """My conversations."""

    @extend_schema(
        parameters=[
            CURSOR,
            LIMIT,
            OpenApiParameter("unread", bool, description="Only those with unread messages."),
            OpenApiParameter("archived", bool, description="Only those that I archived; false: only the others."),
            OpenApiParameter("q", str, description="Part of the name, or of a participant's name."),
        ],
        responses={200: frames.ConversationPage},
        tags=TAGS,
    )
    def get(self, request: SignedInRequest) -> Response:
        """List my conversations, the most active first."""
        query = query_of(request, frames.ConversationListQuery)
        return answer(selectors.conversation_page(request.user.id, query))

    @extend_schema(
        request=frames.CreateConversation,
        responses={201: frames.ConversationBody, 200: frames.ConversationBody},
        tags=TAGS,
    )
    def post(self, request: SignedInRequest) -> Response:
        """Create a group, or find or create the direct conversation with a person (200 if it existed)."""
        body = body_of(request, frames.CreateConversation)
        if body.type == "direct":
            if len(body.participant_ids) != 1 or body.name or body.description:
                raise Invalid(participant_ids="a direct conversation takes one other person and no name")
            conversation, created = services.start_direct(user=request.user, other_id=body.participant_ids[0])
        else:
            created = True
            conversation = services.create_group(
                user=request.user,
                participant_ids=body.participant_ids,
                name=body.name,
                description=body.description,
            )
        return answer(selectors.conversation_body(request.user.id, conversation.id), 201 if created else 200)


class ConversationView(APIView):
    """One of my conversations."""

    @extend_schema(responses={200: frames.ConversationBody}, tags=TAGS)
    def get(self, request: SignedInRequest, conversation_id: UUID) -> Response:
        """Show a conversation."""
        return answer(selectors.conversation_body(request.user.id, conversation_id))

    @extend_schema(request=frames.UpdateConversation, responses={200: frames.ConversationBody}, tags=TAGS)
    def patch(self, request: SignedInRequest, conversation_id: UUID) -> Response:
        """Change a group's name, description, avatar or settings."""
        body = body_of(request, frames.UpdateConversation)
        changes = given(body)
        if isinstance(settings := changes.pop("settings", None), frames.UpdateSettings):
            changes |= given(settings)
        services.update_conversation(user_id=request.user.id, conversation_id=conversation_id, changes=changes)
        return answer(selectors.conversation_body(request.user.id, conversation_id))

    @extend_schema(
        parameters=[OpenApiParameter("mode", str, enum=["leave"], description="How to leave it.")],
        responses={204: None},
        tags=TAGS,
    )
    def delete(self, request: SignedInRequest, conversation_id: UUID) -> Response:
        """Leave a group."""
        query_of(request, frames.LeaveQuery)
        services.leave(user_id=request.user.id, conversation_id=conversation_id)
        return no_content()


class ParticipantsView(APIView):
    """The participants of a conversation."""

    @extend_schema(parameters=[CURSOR, LIMIT], responses={200: frames.ParticipantPage}, tags=TAGS)
    def get(self, request: SignedInRequest, conversation_id: UUID) -> Response:
        """List the participants, in the order in which they joined."""
        query = query_of(request, frames.PageQuery)
        return answer(selectors.participant_page(request.user.id, conversation_id, query))

    @extend_schema(request=frames.AddParticipants, responses={200: frames.ParticipantPage}, tags=TAGS)
    def post(self, request: SignedInRequest, conversation_id: UUID) -> Response:
        """Add people; the answer lists the new participants."""
        body = body_of(request, frames.AddParticipants)
        participants = services.add_participants(
            user_id=request.user.id, conversation_id=conversation_id, user_ids=body.user_ids
        )
        return answer(
            frames.ParticipantPage(
                results=[selectors.participant_body(participant) for participant in participants], next=None
            )
        )


class ParticipantView(APIView):
    """A participant of a conversation."""

    @extend_schema(request=frames.UpdateParticipant, responses={200: frames.ParticipantBody}, tags=TAGS)
    def patch(self, request: SignedInRequest, conversation_id: UUID, user_id: UUID) -> Response:
        """Change a participant's role or right to write."""
        body = body_of(request, frames.UpdateParticipant)
        participant = services.update_participant(
            user_id=request.user.id,
            conversation_id=conversation_id,
            other_id=user_id,
            role=body.role if isinstance(body.role, str) else None,
            can_send_messages=body.can_send_messages if isinstance(body.can_send_messages, bool) else None,
        )
        return answer(selectors.participant_body(participant))

    @extend_schema(responses={204: None}, tags=TAGS)
    def delete(self, request: SignedInRequest, conversation_id: UUID, user_id: UUID) -> Response:
        """Remove a participant, or leave."""
        services.remove_participant(user_id=request.user.id, conversation_id=conversation_id, other_id=user_id)
        return no_content()


class MyPlaceView(APIView):
    """My own settings in a conversation."""

    @extend_schema(request=frames.UpdateMyPlace, responses={200: frames.MyPlace}, tags=TAGS)
    def patch(self, request: SignedInRequest, conversation_id: UUID) -> Response:
        """Mute, pin or archive a conversation for myself, or choose what notifies me."""
        body = body_of(request, frames.UpdateMyPlace)
        changes = given(body)
        take_own_change(request.user.id)
        participant = services.update_own_settings(
            user_id=request.user.id, conversation_id=conversation_id, changes=changes
        )
        return answer(selectors.own_participant_body(participant))


class EventsView(APIView):
    """A conversation's event log."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "after", OpenApiTypes.INT64, description="Sequence of the newest event that the client has."
            ),
            OpenApiParameter("epoch", OpenApiTypes.UUID, description="The epoch of the log that `after` belongs to."),
            OpenApiParameter("limit", int, description="Events in an answer, 1 to 1000; 200 when absent."),
        ],
        responses={200: frames.EventPage},
        tags=["sync"],
    )
    def get(self, request: SignedInRequest, conversation_id: UUID) -> Response:
        """Return the events above `after`, oldest first; 410 if they cannot be given."""
        query = query_of(request, frames.EventsQuery)
        return answer(catch_up.events_page(request.user.id, conversation_id, query))


class SyncView(APIView):
    """Catch-up over all conversations."""

    @extend_schema(request=frames.SyncRequest, responses={200: frames.SyncAnswer}, tags=["sync"])
    def post(self, request: SignedInRequest) -> Response:
        """Return what a client missed; the REST twin of the `sync` frame."""
        body = body_of(request, frames.SyncRequest)
        found = catch_up.missed(request.user.id, body.cursors, body.since, body.epoch)
        return answer(
            frames.SyncAnswer(
                events=found.events,
                receipts=found.receipts,
                heads=found.heads,
                resync=found.resync,
                complete=not found.remaining,
                epoch=found.epoch,
                server_time=found.server_time,
            )
        )
