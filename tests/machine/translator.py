"""Translates bodies and frames of the server to the terms of the model: ids become names, labels and sequences.

It also checks that immutable values do not change: id and time of a message, creator and time of a conversation.
An unknown id is a KeyError.
"""

from typing import Any

from tests.machine.facts import OWN_SETTINGS, Shown

Body = dict[str, Any]


class Translator:
    """The ids of people, conversations and messages on the server."""

    def __init__(self) -> None:
        self.people: dict[str, str] = {}
        self.conversations: dict[str, str] = {}
        self.messages: dict[str, tuple[str, int]] = {}
        self._forever: dict[tuple[Any, ...], Any] = {}

    def id_of_person(self, name: str) -> str:
        """Return the id of a person."""
        return next(id for id, known in self.people.items() if known == name)

    def id_of_conversation(self, label: str) -> str:
        """Return the id of a conversation."""
        return next(id for id, known in self.conversations.items() if known == label)

    def id_of_message(self, label: str, sequence: int) -> str | None:
        """Return the id of a message that a device has received; None before that."""
        return next((id for id, known in self.messages.items() if known == (label, sequence)), None)

    def conversation(self, body: Body) -> Shown:
        """Return a conversation body as `views.body` shows it."""
        label = self.conversations[body["id"]]
        self._is_immutable(("begun", label), (body["created_at"], body["created_by"]))
        assert body["mention_count"] == 0, body
        assert body["settings"] == {"notifications_enabled": True}, body
        assert body["avatar_url"] == "", body
        return {
            "label": label,
            "type": body["type"],
            "name": body["name"],
            "display_name": body["display_name"],
            "description": body["description"],
            "creator": self.people[body["created_by"]],
            "head": body["last_sequence"],
            "last_message": self.message(body["last_message"]) if body["last_message"] else None,
            "count": body["participant_count"],
            "members": {self.people[each["user_id"]]: self.participant(each) for each in body["participants"]},
            "unread": body["unread_count"],
            "me": {
                "role": body["me"]["role"],
                "read": body["me"]["last_read_sequence"],
                **{name: body["me"][name] for name in OWN_SETTINGS},
            },
            "may": sorted(body["my_permissions"]),
        }

    def participant(self, body: Body) -> Shown:
        """Return a participant as `views.participant` shows them."""
        assert body["display_name"] == self.people[body["user_id"]], body
        return {
            "role": body["role"],
            "may_write": body["can_send_messages"],
            "read": body["last_read_sequence"],
            "delivered": body["last_delivered_sequence"],
        }

    def message(self, body: Body) -> Shown:
        """Return a message body as `views.message` shows it."""
        where = (self.conversations[body["conversation_id"]], body["sequence"])
        self._is_immutable(("message", where), (body["id"], body["created_at"]))
        assert self.messages.setdefault(body["id"], where) == where, f"{where} and {self.messages[body['id']]} are one"
        assert body["mentions"] == body["attachments"] == body["reactions"] == [], body
        return {
            "conversation": where[0],
            "sequence": where[1],
            "sender": self._person(body["sender_user_id"]),
            "type": body["message_type"],
            "content": body["content"],
            "metadata": self._note(body["metadata"]) if body["message_type"] == "system" else body["metadata"],
            "reply_to": self.messages[body["reply_to_id"]][1] if body["reply_to_id"] else None,
            "client_id": body["client_message_id"],
            "edited": body["edited_at"] is not None,
            "deleted": body["deleted_at"] is not None,
            "status": body["status"],
        }

    def frame(self, frame: Body) -> Shown:
        """Return the frame of an event as `views.frame` shows it, or of a receipt as `views.receipt_frames` does."""
        shown: Shown = {"type": frame["type"], "conversation": self.conversations[frame["conversation_id"]]}
        match frame["type"]:
            case "message_delivered" | "message_read":
                newest = self.messages[frame["message_id"]] if frame["message_id"] else (None, None)
                person = frame.get("reader_id") or frame["user_id"]
                return shown | {
                    "up_to": frame["up_to_sequence"],
                    "newest": newest[1],
                    "person": self.people[person],
                }
            case "conversation_read":
                assert frame["mention_count"] == 0, frame
                return shown | {
                    "up_to": frame["up_to_sequence"],
                    "unread": frame["unread_count"],
                    "after": frame["last_sequence"],
                }
        shown["sequence"] = frame["sequence"]
        match frame["type"]:
            case "new_message" | "message_updated" | "message_deleted":
                shown["message"] = self.message(frame["message"])
            case "conversation_created" | "conversation_updated":
                shown["body"] = self.conversation(frame["conversation"])
            case "participant_removed":
                shown["person"] = self.people[frame["user_id"]]
            case "my_place_updated":
                shown["own"] = {name: frame["me"][name] for name in OWN_SETTINGS}
            case "participant_added" | "participant_updated":
                shown["person"] = self.people[frame["participant"]["user_id"]]
                shown["participant"] = self.participant(frame["participant"])
            case other:
                assert other == "event_hidden", frame
        return shown

    def heads(self, heads: dict[str, int]) -> dict[str, int]:
        """Return heads by label."""
        return {self.conversations[id]: head for id, head in heads.items()}

    def receipts(self, receipts: list[Body]) -> dict[str, dict[str, bool]]:
        """Return receipts as `views.receipts` shows them."""
        return {
            self.people[each["user_id"]]: {
                "delivered": each["delivered_at"] is not None,
                "read": each["read_at"] is not None,
            }
            for each in receipts
        }

    def _note(self, metadata: Body) -> Shown:
        note: Shown = {"event": metadata["event"], "actor": self.people[metadata["actor_user_id"]]}
        if "user_ids" in metadata:
            note["people"] = [self.people[id] for id in metadata["user_ids"]]
            note["count"] = metadata["user_count"]
        if "name" in metadata:
            note["name"] = metadata["name"]
        return note

    def _person(self, id: str | None) -> str | None:
        return self.people[id] if id else None

    def _is_immutable(self, what: tuple[Any, ...], value: Any) -> None:
        assert self._forever.setdefault(what, value) == value, f"{what} was {self._forever[what]}, now {value}"
