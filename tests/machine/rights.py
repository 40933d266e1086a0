"""Who may do what, as the table of roles in docs/protocol.md says."""

from collections.abc import Mapping, Sequence
from typing import Protocol


class Refusal(Exception):
    """The server must say no, with this code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Place(Protocol):
    """What rights follow from."""

    role: str
    may_write: bool
    came: int
    first: int


def may(type: str, place: Place) -> list[str]:
    """Return the permissions of a place, as `my_permissions` shows them."""
    permissions = ["send_messages"] if place.may_write else []
    if type == "direct":
        return permissions
    if place.role in ("owner", "admin"):
        permissions += ["add_participants", "remove_participants", "update_conversation"]
    if place.role == "owner":
        permissions.append("change_roles")
    return [*permissions, "leave"]


def may_withhold(role: str, other: str) -> bool:
    """Return whether one role may withhold another's right to write."""
    return (role == "owner" and other != "owner") or (role == "admin" and other == "member")


def heir_of(places: Mapping[str, Place], members: Sequence[str]) -> str | None:
    """Return who owns a group after its owner left: the longest-standing admin, else member."""
    admins = [name for name in members if places[name].role == "admin"]
    return next(iter([*admins, *members]), None)
