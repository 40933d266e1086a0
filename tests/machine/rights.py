"""Rights by role, as in the table of roles in docs/protocol.md."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Refusal(Exception):
    """The server must refuse, with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class RoleHolder(Protocol):
    """The fields of a participant that decide their rights."""

    role: str
    may_write: bool
    came: int
    first: int


def may(type: str, participant: RoleHolder) -> list[str]:
    """Return the permissions of a participant, as `my_permissions` shows them."""
    permissions = ["send_messages"] if participant.may_write else []
    if type == "direct":
        return permissions
    if participant.role in ("owner", "admin"):
        permissions += ["add_participants", "remove_participants", "update_conversation"]
    if participant.role == "owner":
        permissions.append("change_roles")
    return [*permissions, "leave"]


def may_withhold(role: str, other: str) -> bool:
    """Return whether one role may withdraw the right to write of another."""
    return (role == "owner" and other != "owner") or (role == "admin" and other == "member")


def successor_of(participants: Mapping[str, RoleHolder], members: Sequence[str]) -> str | None:
    """Return the new owner after an owner left: the longest-standing admin, else the longest-standing member."""
    admins = [name for name in members if participants[name].role == "admin"]
    return next(iter([*admins, *members]), None)
