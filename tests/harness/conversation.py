"""One conversation as the reference client keeps it: what events and receipts make of a first snapshot."""

from copy import deepcopy

from tests.harness.snapshots import Body, comparable
from tests.harness.socket_side import Frame


class Conversation:
    """One conversation as a client keeps it: a body, messages by sequence, and a cursor."""

    def __init__(self, viewer: str, body: Body, messages: list[Body]) -> None:
        self.viewer = viewer
        self.body = deepcopy(body)
        self.cursor: int = body["last_sequence"]
        self.participants: dict[str, Body] = {each["user_id"]: dict(each) for each in body["participants"]}
        self.messages: dict[int, Body] = {each["sequence"]: dict(each) for each in messages}

    def apply(self, frame: Frame) -> None:
        """Apply the event that is next; unknown types only move the cursor."""
        assert frame["sequence"] == self.cursor + 1, (
            f"event {frame['sequence']} came after {self.cursor} in {frame['conversation_id']}"
        )
        self.cursor += 1
        match frame["type"]:
            case "new_message" | "message_updated" | "message_deleted":
                message = frame["message"]
                self.messages[message["sequence"]] = dict(message)
            case "conversation_created" | "conversation_updated":
                for name in ("name", "description", "avatar_url", "display_name", "settings", "my_permissions"):
                    self.body[name] = frame["conversation"][name]
            case "participant_added" | "participant_updated":
                self._place(frame["participant"])
            case "my_place_updated":
                self.body["me"] = dict(frame["me"])
            case "participant_removed":
                self.participants.pop(frame["user_id"], None)

    def _place(self, participant: Body) -> None:
        known = self.participants.get(participant["user_id"])
        self.participants[participant["user_id"]] = dict(participant)
        if known is not None and known["joined_at"] == participant["joined_at"]:
            # A receipt may have arrived before the event, which has an older position.
            self.mark(known["user_id"], "last_delivered_sequence", known["last_delivered_sequence"])
            self.mark(known["user_id"], "last_read_sequence", known["last_read_sequence"])

    def mark(self, user_id: str, name: str, sequence: int) -> None:
        """Move a watermark; it never goes back."""
        participant = self.participants.get(user_id)
        if participant is not None:
            participant[name] = max(participant[name], sequence)

    def shown(self) -> Body:
        """Return the conversation as REST would show it, with everything that follows from the log derived."""
        me = self.participants[self.viewer]
        messages = [self._with_status(self.messages[sequence]) for sequence in sorted(self.messages)]
        body = {
            **self.body,
            "last_sequence": self.cursor,
            "last_message": messages[-1] if messages else None,
            "participants": list(self.participants.values()),
            "participant_count": len(self.participants),
            "unread_count": sum(
                message["sender_user_id"] not in (None, self.viewer)
                and message["sequence"] > me["last_read_sequence"]
                and message["deleted_at"] is None
                for message in messages
            ),
            "mention_count": sum(
                message["sender_user_id"] != self.viewer
                and message["sequence"] > me["last_read_sequence"]
                and any(each["user_id"] == self.viewer for each in message["mentions"])
                for message in messages
            ),
            "my_permissions": self.body["my_permissions"] if self.body["type"] == "direct" else _permissions(me),
            "me": {
                **self.body["me"],
                "role": me["role"],
                "joined_at": me["joined_at"],
                "last_read_sequence": me["last_read_sequence"],
            },
        }
        return comparable(body, messages)

    def _with_status(self, message: Body) -> Body:
        sequence, sender = message["sequence"], message["sender_user_id"]
        if sender == self.viewer:
            marks = [each for id, each in self.participants.items() if id != self.viewer]
        else:
            marks = [self.participants[self.viewer]]
        status = "sent"
        if marks and all(each["last_read_sequence"] >= sequence for each in marks):
            status = "read"
        elif marks and all(each["last_delivered_sequence"] >= sequence for each in marks):
            status = "delivered"
        return {**message, "status": status}


def _permissions(me: Body) -> list[str]:
    may = ["send_messages"] if me["can_send_messages"] else []
    if me["role"] in ("owner", "admin"):
        may += ["add_participants", "remove_participants", "update_conversation"]
    if me["role"] == "owner":
        may += ["change_roles"]
    return [*may, "leave"]
