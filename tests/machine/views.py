"""What the people of the model must see: reads of the plain model."""

from tests.machine.facts import Conversation, Event, Message, Participant, ReceiptNews, Shown
from tests.machine.model import Model
from tests.machine.rights import Refusal, may


def listed(model: Model, viewer: str, *, unread: bool = False) -> list[str]:
    """Return the labels of a person's conversations, newest message first."""
    mine = [talk for talk in model.conversations.values() if viewer in talk.members()]
    if unread:
        mine = [talk for talk in mine if unread_count(talk, viewer)]
    return [talk.label for talk in sorted(mine, key=lambda talk: talk.last_activity, reverse=True)]


def heads(model: Model, viewer: str) -> dict[str, int]:
    """Return the newest sequence of each of a person's conversations."""
    return {label: model.conversations[label].head for label in listed(model, viewer)}


def unread_count(talk: Conversation, viewer: str) -> int:
    """Return the number of others' messages above the read position, without deleted and system messages."""
    read = talk.participants[viewer].read
    return sum(
        each.sender not in (None, viewer) and each.sequence > read and not each.deleted
        for each in talk.messages.values()
    )


def visible(talk: Conversation, viewer: str) -> list[Message]:
    """Return the messages that a member may see, oldest first."""
    return [
        talk.messages[sequence] for sequence in sorted(talk.messages) if sequence >= talk.participants[viewer].start
    ]


def body(talk: Conversation, viewer: str, *, live: bool = False) -> Shown:
    """Return the conversation as a member sees it. In live frames the status of every message is `sent`."""
    me, members = talk.participants[viewer], talk.members()
    last = visible(talk, viewer)[-1:]
    return {
        "label": talk.label,
        "type": talk.type,
        "name": talk.name,
        "display_name": talk.name or ", ".join(each for each in members if each != viewer) or "Empty group",
        "description": talk.description,
        "creator": talk.creator,
        "head": talk.head,
        "last_message": message(talk, last[0], viewer, live=live) if last else None,
        "count": len(members),
        "members": {name: participant(talk.participants[name]) for name in members},
        "unread": unread_count(talk, viewer),
        "me": {"role": me.role, "read": me.read, **me.own},
        "may": sorted(may(talk.type, me)),
    }


def participant(participant: Participant) -> Shown:
    """Return a participant as members see them."""
    return {
        "role": participant.role,
        "may_write": participant.may_write,
        "read": participant.read,
        "delivered": participant.delivered,
    }


def message(talk: Conversation, message: Message, viewer: str, *, live: bool = False) -> Shown:
    """Return a message as a person sees it."""
    return {
        "conversation": talk.label,
        "sequence": message.sequence,
        "sender": message.sender,
        "type": message.type,
        "content": message.content,
        "metadata": message.metadata,
        "reply_to": message.reply_to,
        "client_id": message.client_id,
        "edited": message.edited,
        "deleted": message.deleted,
        "status": "sent" if live else status(talk, message, viewer),
    }


def status(talk: Conversation, message: Message, viewer: str) -> str:
    """Return sent, delivered or read: by all others for an own message, else by the viewer."""
    members = talk.members()
    if viewer not in members:
        return "sent"
    watched = [name for name in members if name != viewer] if message.sender == viewer else [viewer]
    if watched and all(talk.participants[name].read >= message.sequence for name in watched):
        return "read"
    if watched and all(talk.participants[name].delivered >= message.sequence for name in watched):
        return "delivered"
    return "sent"


def page(
    model: Model, viewer: str, label: str, *, before: int | None = None, after: int | None = None, limit: int
) -> tuple[list[Shown], bool]:
    """Return a page of the history, newest first, and whether there are more messages in its direction."""
    talk = _member(model, viewer, label)
    found = visible(talk, viewer)
    if after is not None:
        found = [each for each in found if each.sequence > after]
        shown = found[:limit]
    else:
        found = [each for each in found if before is None or each.sequence < before]
        shown = found[-limit:]
    return [message(talk, each, viewer) for each in reversed(shown)], len(found) > limit


def events(model: Model, viewer: str, label: str, after: int) -> list[Shown]:
    """Return the log above a cursor, rendered with the current rights of the viewer.

    :raises Refusal: not_found, or resync_required for a cursor outside of the log that they may see.
    """
    talk = _member(model, viewer, label)
    if not talk.participants[viewer].start - 1 <= after <= talk.head:
        raise Refusal("resync_required")
    return [frame(talk, event, viewer) for event in talk.log[after:]]


def first_cursor(talk: Conversation, viewer: str) -> int:
    """Return the lowest cursor that a person can catch up from: all that they may see is above it."""
    return talk.participants[viewer].start - 1 if viewer in talk.participants else 0


def receipts(model: Model, viewer: str, label: str, sequence: int) -> dict[str, dict[str, bool]]:
    """Return the receipts of a message, without its sender and without members who may not see it."""
    talk = _member(model, viewer, label)
    if sequence not in talk.messages or sequence < talk.participants[viewer].start:
        raise Refusal("not_found")
    others = [name for name in talk.members() if name != talk.messages[sequence].sender]
    return {
        name: {
            "delivered": talk.participants[name].delivered >= sequence,
            "read": talk.participants[name].read >= sequence,
        }
        for name in others
        if talk.participants[name].start <= sequence
    }


def frame(talk: Conversation, event: Event, viewer: str, *, live: bool = False) -> Shown:
    """Return the frame of an event as a viewer gets it."""
    shown: Shown = {"conversation": talk.label, "sequence": event.sequence}
    if event.subject < talk.participants[viewer].start:
        return {"type": "event_hidden", **shown}
    shown = {"type": event.kind, **shown}
    match event.kind:
        case "new_message" | "message_updated" | "message_deleted":
            return shown | {"message": message(talk, talk.messages[event.subject], viewer, live=live)}
        case "conversation_created" | "conversation_updated":
            return shown | {"body": body(talk, viewer, live=live)}
        case "participant_removed":
            return shown | {"person": event.person}
        case "my_place_updated":
            if event.person != viewer:
                return shown | {"type": "event_hidden"}
            return shown | {"own": talk.participants[viewer].own}
        case _:
            assert event.person is not None
            return shown | {"person": event.person, "participant": participant(talk.participants[event.person])}


def receipt_frames(news: ReceiptNews, viewer: str, session: str, talk: Conversation) -> list[Shown]:
    """Return the frames of a receipt change for one device of a viewer, in the conversation as it is now."""
    found = []
    if viewer in news.audience:
        found.append(
            {
                "type": f"message_{news.kind}",
                "conversation": news.conversation,
                "up_to": news.up_to,
                "newest": news.newest,
                "person": news.person,
            }
        )
    if news.kind == "read" and viewer == news.person and session != news.session:
        found.append(
            {
                "type": "conversation_read",
                "conversation": news.conversation,
                "up_to": news.up_to,
                "unread": unread_count(talk, news.person),
                "after": talk.head,
            }
        )
    return found


def as_clients_know(body: Shown, talk: Conversation, viewer: str) -> Shown:
    """Return a body without the values that no frame brings to a client.

    A position is replaced by the newest visible message that it covers: clients get no live receipts for messages
    before their history start. The made-up name of a nameless group is left out: no frame brings a new one when
    participants join or leave.
    """
    sequences = [each.sequence for each in visible(talk, viewer)]

    def covered(position: int) -> int:
        return max((sequence for sequence in sequences if sequence <= position), default=0)

    members = {
        name: participant | {"read": covered(participant["read"]), "delivered": covered(participant["delivered"])}
        for name, participant in body["members"].items()
    }
    made_up = talk.type == "group" and not talk.name
    return body | {"members": members, "display_name": None if made_up else body["display_name"]}


def _member(model: Model, viewer: str, label: str) -> Conversation:
    talk = model.conversations.get(label)
    if talk is None or viewer not in talk.members():
        raise Refusal("not_found")
    return talk
