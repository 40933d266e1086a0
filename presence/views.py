"""REST of presence: translate, one service call, translate back."""

from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.requests import SignedInRequest
from accounts.selectors import user_body, user_by_id
from presence import frames
from presence.selectors import visible_presence
from presence.services import choose_status
from realtime.wire.rest import answer, body_of, no_content


class StatusView(APIView):
    """How I want to be seen."""

    @extend_schema(request=frames.StatusBody, responses={204: None}, tags=["users"])
    def put(self, request: SignedInRequest) -> Response:
        """Set my status and activity; the REST twin of `presence_update`."""
        body = body_of(request, frames.StatusBody)
        choose_status(user_id=str(request.user.id), status=body.status, activity=body.activity)
        return no_content()


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
