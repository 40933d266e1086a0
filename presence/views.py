"""REST of presence: translate, one service call, translate back."""

from uuid import UUID

import redis
from drf_spectacular.utils import extend_schema
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.requests import SignedInRequest
from accounts.selectors import is_blocked_pair, user_body, user_by_id
from conversations.selectors import shares_conversation
from presence import frames
from presence.services import choose_status
from presence.store import store
from realtime.wire.rest import answer, body_of, no_content

NOTHING_KNOWN = frames.PresenceBody(status="offline", activity=None, last_seen=None)


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
        user = user_by_id(user_id)
        person = user_body(user)
        presence = None
        me = request.user.id
        if user_id == me or shares_conversation(me, user_id):
            presence = NOTHING_KNOWN if is_blocked_pair(me, user_id) else _presence(str(user_id))
        return answer(
            frames.ProfileBody(**{name: getattr(person, name) for name in person.__struct_fields__}, presence=presence)
        )


def _presence(user_id: str) -> frames.PresenceBody | None:
    """Return what is shown of a person; None while the store is away."""
    try:
        shown = store().shown([user_id]).get(user_id)
    except redis.RedisError:
        return None
    if shown is None:
        return NOTHING_KNOWN
    return frames.PresenceBody(status=shown.status, activity=shown.activity, last_seen=shown.seen_at)
