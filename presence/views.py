"""REST of presence: translate, one service call, translate back."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.requests import SignedInRequest
from accounts.selectors import user_body, user_by_id
from presence import frames
from presence.selectors import visible_presence, visible_presences
from presence.services import choose_status
from realtime.wire.rest import answer, body_of, ids_of_query, no_content, query_of


class StatusView(APIView):
    """How I want to be seen."""

    @extend_schema(request=frames.StatusBody, responses={204: None}, tags=["users"])
    def put(self, request: SignedInRequest) -> Response:
        """Set my status and activity; the REST twin of `presence_update`."""
        body = body_of(request, frames.StatusBody)
        choose_status(user_id=str(request.user.id), status=body.status, activity=body.activity)
        return no_content()


class PresenceView(APIView):
    """The presence of several people."""

    @extend_schema(
        parameters=[OpenApiParameter("user_ids", str, required=True, description="At most 100, separated by commas.")],
        responses={200: frames.PresenceList},
        tags=["users"],
    )
    def get(self, request: SignedInRequest) -> Response:
        """Show the presence of people by their ids; without those who share no conversation with me."""
        wanted = ids_of_query(query_of(request, frames.PresenceQuery).user_ids, "user_ids")
        return answer(frames.PresenceList(results=visible_presences(request.user.id, wanted)))


class ProfileView(APIView):
    """A person."""

    @extend_schema(responses={200: frames.ProfileBody}, tags=["users"])
    def get(self, request: SignedInRequest, user_id: UUID) -> Response:
        """Show a person, and their presence to those who share a conversation with them."""
        person = user_body(user_by_id(user_id))
        presence = visible_presence(request.user.id, user_id)
        return answer(
            frames.ProfileBody(**{name: getattr(person, name) for name in person.__struct_fields__}, presence=presence)
        )
