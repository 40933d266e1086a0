"""The actors of the rights tests, and the group and messages they act on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from accounts.models import DeviceSession, User
from accounts.services import block_user, open_session, revoke_session
from conversations import services
from conversations.models import Conversation
from tests.making import direct, group, person, read, say

# The actors. The first nine are signed in; the last three are not, or no longer.
SIGNED_IN = ("stranger", "blocked", "ex_member", "member", "read_only", "admin", "owner", "staff", "other_device")
SIGNED_OUT = ("anonymous", "revoked", "deactivated")
ACTORS = SIGNED_IN + SIGNED_OUT
IN_GROUP = ("member", "other_device", "read_only", "admin", "owner")


@dataclass
class World:
    """One group: `owner` made it, `member` wrote in it, `bystander` is the target of actions.

    `other_device` and `revoked` are devices of `member`; `deactivated` is in the group; `staff` and
    `blocked` are not. `blocked` has a direct conversation with `bystander`, who blocks them.
    """

    users: dict[str, User]
    sessions: dict[str, DeviceSession]
    tokens: dict[str, str]
    group: Conversation
    message: str  # by `member`, while `ex_member` was in the group
    newest: str  # by `owner`, after `ex_member` was removed
    direct: Conversation
    direct_message: str  # by `blocked`, in the direct conversation

    def id_of(self, actor: str) -> str:
        """Return the user id of an actor."""
        return str(self.users["member" if actor in ("other_device", "revoked") else actor].id)

    def headers(self, actor: str) -> dict[str, str]:
        """Return the headers that sign an actor in."""
        return {"Authorization": f"Bearer {self.tokens[actor]}"} if actor in self.tokens else {}


def make_world() -> World:
    """Create all actors, the group and the messages, in the open transaction."""
    inside = ("owner", "admin", "member", "read_only", "bystander", "ex_member", "deactivated")
    users = {name: person(name) for name in (*inside, "stranger", "blocked")}
    users["staff"] = person("staff", is_staff=True, is_superuser=True)
    owner = users["owner"]
    trip = group(owner, *(users[name] for name in inside[1:]), name="Trip")
    by_owner = {"user_id": owner.id, "conversation_id": trip.id}
    services.update_participant(**by_owner, other_id=users["admin"].id, role="admin")
    services.update_participant(**by_owner, other_id=users["read_only"].id, can_send_messages=False)
    message = say(trip, users["member"], "for all who are here").message_id
    services.remove_participant(**by_owner, other_id=users["ex_member"].id)
    read(trip, users["bystander"])
    newest = say(trip, owner, "not for those who left").message_id
    talk = direct(users["bystander"], users["blocked"])
    direct_message = say(talk, users["blocked"], "before the block").message_id
    block_user(user_id=users["bystander"].id, other_id=users["blocked"].id)
    opened = {name: open_session(user=user, device_id=name) for name, user in users.items()}
    opened |= {name: open_session(user=users["member"], device_id=name) for name in ("other_device", "revoked")}
    revoke_session(user_id=users["member"].id, session_id=opened["revoked"].session.id)
    users["deactivated"].is_active = False
    users["deactivated"].save()
    return World(
        users=users,
        sessions={name: each.session for name, each in opened.items()},
        tokens={name: str(each.token) for name, each in opened.items()},
        group=trip,
        message=str(message),
        newest=str(newest),
        direct=talk,
        direct_message=str(direct_message),
    )


def filled(body: Any, names: Mapping[str, str]) -> Any:
    """Return a body with its `{names}` filled in."""
    match body:
        case dict():
            return {name: filled(value, names) for name, value in body.items()}
        case list():
            return [filled(value, names) for value in body]
        case str():
            return body.format_map(names)
    return body
