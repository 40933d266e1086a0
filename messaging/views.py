"""REST of messages and receipts: each view translates a request, calls one service or selector, translates back."""

from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.requests import SignedInRequest
from messaging import frames, selectors, submit
from messaging.models import ReceiptChange
from messaging.services import change
from messaging.services.receipts import ReceiptUpdate
from realtime.wire.rest import answer, body_of, no_content, query_of

TAGS = ["messages"]


def _post(request: SignedInRequest, draft: frames.MessageDraft, conversation_id: UUID) -> Response:
    sent = submit.send_now(draft, conversation_id=conversation_id, sender_id=request.user.id)
    return answer(selectors.own_message(request.user.id, sent.message_id), 200 if sent.duplicate else 201)


class MessagesView(APIView):
    """Messages to any conversation."""

    @extend_schema(request=frames.PostMessage, responses={201: frames.MessageBody, 200: frames.MessageBody}, tags=TAGS)
    def post(self, request: SignedInRequest) -> Response:
        """Send a message; 200 and the original if it was sent before."""
        body = body_of(request, frames.PostMessage)
        return _post(request, body, body.conversation_id)


class HistoryView(APIView):
    """The messages of a conversation."""

    @extend_schema(
        parameters=[
            OpenApiParameter("before", OpenApiTypes.INT64, description="Messages below this sequence."),
            OpenApiParameter("after", OpenApiTypes.INT64, description="Messages above this sequence."),
            OpenApiParameter("around", OpenApiTypes.INT64, description="Messages on both sides of this sequence."),
            OpenApiParameter("limit", int, description="1 to 200; 50 when absent."),
        ],
        responses={200: frames.MessagePage},
        tags=TAGS,
    )
    def get(self, request: SignedInRequest, conversation_id: UUID) -> Response:
        """Show a part of the history, newest first."""
        query = query_of(request, frames.HistoryQuery)
        return answer(selectors.history(request.user.id, conversation_id, query))

    @extend_schema(request=frames.MessageDraft, responses={201: frames.MessageBody, 200: frames.MessageBody}, tags=TAGS)
    def post(self, request: SignedInRequest, conversation_id: UUID) -> Response:
        """Send a message to this conversation; 200 and the original if it was sent before."""
        return _post(request, body_of(request, frames.MessageDraft), conversation_id)


class MessageView(APIView):
    """One message."""

    @extend_schema(responses={200: frames.MessageBody}, tags=TAGS)
    def get(self, request: SignedInRequest, message_id: UUID) -> Response:
        """Show a message."""
        message, _ = selectors.visible_message(request.user.id, message_id)
        (body,) = selectors.bodies_for(request.user.id, [message])
        return answer(body)

    @extend_schema(request=frames.EditMessage, responses={200: frames.MessageBody}, tags=TAGS)
    def patch(self, request: SignedInRequest, message_id: UUID) -> Response:
        """Edit my message, within the edit window."""
        body = body_of(request, frames.EditMessage)
        message = change.edit_message(
            user_id=request.user.id, message_id=message_id, content=body.content, mentions=body.mentions
        )
        (shown,) = selectors.bodies_for(request.user.id, [message])
        return answer(shown)

    @extend_schema(
        parameters=[OpenApiParameter("for", str, enum=["everyone"], required=True)],
        responses={204: None},
        tags=TAGS,
    )
    def delete(self, request: SignedInRequest, message_id: UUID) -> Response:
        """Delete a message for everyone; a tombstone remains."""
        query_of(request, frames.DeleteQuery)
        change.delete_message_for_everyone(user_id=request.user.id, message_id=message_id)
        return no_content()


class ReadView(APIView):
    """Read receipt."""

    @extend_schema(request=None, responses={204: None}, tags=["receipts"])
    def post(self, request: SignedInRequest, message_id: UUID) -> Response:
        """Record that I have read everything up to this message."""
        return _write_receipt(request, message_id, ReceiptChange.Kind.READ)


class DeliveredView(APIView):
    """Delivery receipt."""

    @extend_schema(request=None, responses={204: None}, tags=["receipts"])
    def post(self, request: SignedInRequest, message_id: UUID) -> Response:
        """Record that my device has received everything up to this message."""
        return _write_receipt(request, message_id, ReceiptChange.Kind.DELIVERED)


def _write_receipt(request: SignedInRequest, message_id: UUID, kind: str) -> Response:
    submit.receipt_now(
        ReceiptUpdate(user_id=request.user.id, kind=kind, message_id=message_id, session_id=str(request.auth.id))
    )
    return no_content()


class ReceiptsView(APIView):
    """Receipts of a message."""

    @extend_schema(responses={200: frames.ReceiptList}, tags=["receipts"])
    def get(self, request: SignedInRequest, message_id: UUID) -> Response:
        """Show when the message was delivered to, and read by, each other member."""
        return answer(selectors.receipts_of(request.user.id, message_id))
