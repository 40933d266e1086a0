"""REST of people and sessions: each view translates a request, calls one service or selector, translates back."""

import secrets
from uuid import UUID

from django.conf import settings
from django.middleware.csrf import rotate_token
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import frames, selectors, services
from accounts.models import User
from accounts.rates import take_own_change
from accounts.requests import DEVICE_COOKIE, DEVICE_COOKIE_SECONDS, SignedInRequest, address_of, device_id_of
from realtime.wire.errors import Invalid
from realtime.wire.rest import answer, body_of, ids_of_query, no_content, query_of

DEVICE_ID = OpenApiParameter("X-Device-ID", str, OpenApiParameter.HEADER, description="Id of the device, at sign-in.")


class RegisterView(APIView):
    """Sign-up."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        request=frames.Register, responses={201: frames.SignedIn}, parameters=[DEVICE_ID], auth=[], tags=["auth"]
    )
    def post(self, request: Request) -> Response:
        """Create a person and sign this device in."""
        body = body_of(request, frames.Register)
        user = services.register_user(
            username=body.username,
            password=body.password,
            address=address_of(request),
            email=body.email,
            display_name=body.display_name,
        )
        return _open(request, user, body.device_name, cookie=body.cookie, status=201)


class LoginView(APIView):
    """Sign-in."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(
        request=frames.Login, responses={200: frames.SignedIn}, parameters=[DEVICE_ID], auth=[], tags=["auth"]
    )
    def post(self, request: Request) -> Response:
        """Sign this device in."""
        body = body_of(request, frames.Login)
        user = services.sign_in(
            username=body.username,
            password=body.password,
            address=address_of(request),
            device_id=device_id_of(request),
        )
        return _open(request, user, body.device_name, cookie=body.cookie)


class LogoutView(APIView):
    """Sign-out."""

    @extend_schema(request=None, responses={204: None}, tags=["auth"])
    def post(self, request: SignedInRequest) -> Response:
        """End the session of this request."""
        services.revoke_session(user_id=request.user.id, session_id=request.auth.id)
        request._request.session.flush()
        return no_content()


class SessionsView(APIView):
    """My device sessions."""

    @extend_schema(responses={200: frames.SessionPage}, tags=["auth"])
    def get(self, request: SignedInRequest) -> Response:
        """List my device sessions."""
        sessions = selectors.sessions_of(request.user, current=request.auth.id)
        return answer(frames.SessionPage(results=sessions, next=None))


class SessionView(APIView):
    """One of my device sessions."""

    @extend_schema(responses={204: None}, tags=["auth"])
    def delete(self, request: SignedInRequest, session_id: UUID) -> Response:
        """End one of my sessions; its sockets close."""
        services.revoke_session(user_id=request.user.id, session_id=session_id)
        return no_content()


class MeView(APIView):
    """My profile."""

    @extend_schema(responses={200: frames.MeBody}, tags=["users"])
    def get(self, request: SignedInRequest) -> Response:
        """Show my profile."""
        return answer(selectors.me_body(request.user))

    @extend_schema(request=frames.UpdateMe, responses={200: frames.MeBody}, tags=["users"])
    def patch(self, request: SignedInRequest) -> Response:
        """Change my profile."""
        body = body_of(request, frames.UpdateMe)
        changes = {name: value for name in body.__struct_fields__ if isinstance(value := getattr(body, name), str)}
        return answer(selectors.me_body(services.update_profile(user=request.user, changes=changes)))


class UsersView(APIView):
    """Several people."""

    @extend_schema(
        parameters=[OpenApiParameter("ids", str, required=True, description="At most 100, separated by commas.")],
        responses={200: frames.UserPage},
        tags=["users"],
    )
    def get(self, request: SignedInRequest) -> Response:
        """Show people by their ids, in any order; without those who do not exist or are deactivated."""
        wanted = ids_of_query(query_of(request, frames.UsersQuery).ids, "ids")
        found = [selectors.user_body(user) for user in selectors.active_users(wanted)]
        return answer(frames.UserPage(results=found, next=None))


class UserSearchView(APIView):
    """Search for people."""

    @extend_schema(
        parameters=[OpenApiParameter("q", str, required=True)], responses={200: frames.UserPage}, tags=["users"]
    )
    def get(self, request: SignedInRequest) -> Response:
        """Find people by a part of their username or display name; at most 20."""
        query = query_of(request, frames.UserSearch)
        if not query.q.strip():
            raise Invalid(q="must not be blank")
        return answer(frames.UserPage(results=selectors.found_users(query.q, viewer=request.user), next=None))


class BlocksView(APIView):
    """The people whom I block."""

    @extend_schema(responses={200: frames.UserPage}, tags=["users"])
    def get(self, request: SignedInRequest) -> Response:
        """List the people whom I block, the newest block first."""
        return answer(frames.UserPage(results=selectors.blocked_users(request.user.id), next=None))

    @extend_schema(request=frames.BlockUser, responses={201: frames.UserBody, 200: frames.UserBody}, tags=["users"])
    def post(self, request: SignedInRequest) -> Response:
        """Block a person; the answer is that person (200 if they were blocked already)."""
        body = body_of(request, frames.BlockUser)
        take_own_change(request.user.id)
        other = selectors.user_by_id(body.user_id)
        is_new = services.block_user(user_id=request.user.id, other_id=other.id)
        return answer(selectors.user_body(other), 201 if is_new else 200)


class BlockView(APIView):
    """A person whom I block."""

    @extend_schema(responses={204: None}, tags=["users"])
    def delete(self, request: SignedInRequest, user_id: UUID) -> Response:
        """Unblock a person; succeeds even if they are not blocked."""
        take_own_change(request.user.id)
        services.unblock_user(user_id=request.user.id, other_id=user_id)
        return no_content()


def _open(request: Request, user: User, device_name: str, *, cookie: bool, status: int = 200) -> Response:
    device_id = device_id_of(request) or (secrets.token_urlsafe(16) if cookie else "")
    opened = services.open_session(user=user, device_id=device_id, device_name=device_name, with_token=not cookie)
    response = answer(frames.SignedIn(token=opened.token, user=selectors.me_body(user)), status)
    if cookie:
        response.set_cookie(
            DEVICE_COOKIE,
            device_id,
            max_age=DEVICE_COOKIE_SECONDS,
            secure=settings.SESSION_COOKIE_SECURE,
            httponly=True,
            samesite="Lax",
        )
        browser_session = request._request.session
        browser_session.flush()
        browser_session[selectors.SESSION_KEY] = str(opened.session.id)
        rotate_token(request._request)
    return response
