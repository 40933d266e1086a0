"""What REST shows somebody now, in a form that a client's state can be compared with, and where the two differ."""

from typing import Any

from tests.harness.device import Device

Body = dict[str, Any]

# What a REST body says that no frame can repeat: `updated_at` is the time of the newest event, and not
# every event carries its time.
_NOT_COMPARED = ("updated_at",)


async def fresh_snapshot(device: Device) -> dict[str, Body]:
    """Return everything that REST shows this person now."""
    found = {}
    for body in await device.lists_conversations():
        found[body["id"]] = comparable(body, await device.history(body))
    return dict(sorted(found.items()))


def differences(mine: Any, theirs: Any, path: str = "") -> list[str]:
    """Return where two states differ, as `path: mine != theirs`."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return [
            line
            for name in sorted(mine.keys() | theirs.keys())
            for line in differences(mine.get(name, "(absent)"), theirs.get(name, "(absent)"), f"{path}/{name}")
        ]
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        return [
            line
            for number, (one, other) in enumerate(zip(mine, theirs, strict=True))
            for line in differences(one, other, f"{path}/{number}")
        ]
    return [] if mine == theirs else [f"{path}: {mine!r} != {theirs!r}"]


def comparable(body: Body, messages: list[Body]) -> Body:
    """Return a conversation with its messages, without what a client cannot know."""
    kept = {name: value for name, value in body.items() if name not in _NOT_COMPARED}
    if not body["name"] and body["type"] != "direct":
        del kept["display_name"]  # made up from the participants
    kept["participants"] = {each["user_id"]: _with_meant_marks(each, messages) for each in body["participants"]}
    kept["my_permissions"] = sorted(body["my_permissions"])
    kept["messages"] = messages
    return kept


def _with_meant_marks(participant: Body, messages: list[Body]) -> Body:
    """Show positions as the newest message that they cover: viewers get no receipts from before their history start."""
    covered = {
        name: max((each["sequence"] for each in messages if each["sequence"] <= participant[name]), default=0)
        for name in ("last_read_sequence", "last_delivered_sequence")
    }
    return {**participant, **covered}
