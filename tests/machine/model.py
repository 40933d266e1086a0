"""The plain model: what the server must do, in dictionaries and lists.

It follows docs/protocol.md and uses no code of the product. People are names, conversations are labels, a message is
its conversation and sequence. Every method either does its action, or raises `Refusal` with the code of the protocol
and changes nothing. The events and receipts for clients are collected in `news`.
"""

from tests.machine.facts import Conversation, Event, EventNews, Message, Participant, ReceiptNews, Shown
from tests.machine.rights import Refusal, may, may_withhold, successor_of


class Model:
    """All conversations of a few people."""

    def __init__(self, people: list[str]) -> None:
        self.people = people
        self.conversations: dict[str, Conversation] = {}
        self.sent: dict[tuple[str, str], tuple[str, int]] = {}  # (sender, client id) -> (conversation, sequence)
        self.sessions: dict[str, tuple[str, bool]] = {}  # key -> (person, whether it is live)
        self.news: list[EventNews | ReceiptNews] = []
        self.steps = 0

    def take_news(self) -> list[EventNews | ReceiptNews]:
        """Return the news since the last call."""
        taken, self.news = self.news, []
        return taken

    # --- Sessions -------------------------------------------------------------------------

    def sign_in(self, person: str, session: str) -> None:
        """Open a device session."""
        self.sessions[session] = (person, True)

    def who(self, session: str) -> str:
        """Return the person of a live session."""
        person, lives = self.sessions[session]
        if not lives:
            raise Refusal("unauthenticated")
        return person

    def revoke(self, actor: str, session: str) -> None:
        """End an own session; a second call changes nothing."""
        if self.sessions[session][0] != actor:
            raise Refusal("not_found")
        self.sessions[session] = (actor, False)

    # --- Beginning ------------------------------------------------------------------------

    def open_direct(self, actor: str, other: str) -> tuple[str, bool]:
        """Return the one conversation of two people, and whether it is new."""
        if other == actor:
            raise Refusal("invalid")
        for known in self.conversations.values():
            if known.type == "direct" and set(known.participants) == {actor, other}:
                return known.label, False
        return self._begin("direct", actor, [actor, other]).label, True

    def open_group(self, actor: str, others: list[str], name: str) -> str:
        """Begin a group."""
        members = [actor, *dict.fromkeys(other for other in others if other != actor)]
        group = self._begin("group", actor, members, name)
        group.participants[actor].role = "owner"
        self._note(group, "group_created", actor, members[1:])
        return group.label

    def _begin(self, type: str, actor: str, members: list[str], name: str = "") -> Conversation:
        self.steps += 1
        label = f"{type}-{len(self.conversations)}"
        begun = self.conversations[label] = Conversation(label, type, actor, name, last_activity=(self.steps, 0))
        for number, member in enumerate(members):
            begun.participants[member] = Participant("member", self.steps, number, start=1)
        self._append(begun, "conversation_created")
        return begun

    # --- Messages -------------------------------------------------------------------------

    def send(self, actor: str, label: str, client_id: str, said: Shown) -> tuple[int, bool]:
        """Return the message's sequence, and whether it had been sent before."""
        if not said["content"].strip() and said["message_type"] == "text":
            raise Refusal("invalid")
        if (actor, client_id) in self.sent:
            where, sequence = self.sent[actor, client_id]
            original = self.conversations[where].messages[sequence].said
            if where != label or original not in (None, said):
                raise Refusal("idempotency_conflict")
            return sequence, True
        talk = self._of(actor, label)
        if not talk.participants[actor].may_write:
            raise Refusal("forbidden")
        if said["reply_to"] is not None:
            where, sequence = said["reply_to"]
            if where != label or sequence not in talk.messages or sequence < talk.participants[actor].start:
                raise Refusal("invalid")
        self.steps += 1
        message = self._write(talk, actor, said["message_type"])
        message.content, message.metadata, message.client_id = said["content"], said["metadata"], client_id
        message.reply_to = said["reply_to"][1] if said["reply_to"] else None
        message.said = said
        self.sent[actor, client_id] = (label, message.sequence)
        return message.sequence, False

    def edit(self, actor: str, label: str, sequence: int, content: str) -> None:
        """Change the text of an own message."""
        if not content.strip():
            raise Refusal("invalid")
        talk, message = self._seen(actor, label, sequence)
        if message.deleted:
            raise Refusal("not_found")
        if message.sender != actor or message.type != "text" or not talk.participants[actor].may_write:
            raise Refusal("forbidden")
        if message.content != content:
            message.content, message.edited = content, True
            self._append(talk, "message_updated", subject=sequence)

    def delete(self, actor: str, label: str, sequence: int) -> None:
        """Delete a message for everybody."""
        talk, message = self._seen(actor, label, sequence)
        moderates = talk.type == "group" and talk.participants[actor].role != "member"
        if message.type == "system" or (message.sender != actor and not moderates):
            raise Refusal("forbidden")
        if not message.deleted:
            message.content, message.metadata, message.said, message.deleted = "", {}, None, True
            self._append(talk, "message_deleted", subject=sequence)

    def acknowledge_message(self, actor: str, kind: str, label: str, sequence: int, session: str) -> None:
        """Acknowledge everything up to a message as delivered or read."""
        self._seen(actor, label, sequence)
        self.acknowledge(actor, kind, label, sequence, session)

    def acknowledge(self, actor: str, kind: str, label: str, up_to: int, session: str) -> None:
        """Acknowledge everything up to a sequence as delivered or read. Positions never go back."""
        talk = self._of(actor, label)
        if up_to > talk.head:
            raise Refusal("invalid")
        participant = talk.participants[actor]
        newest = max((sequence for sequence in talk.messages if sequence <= up_to), default=None)
        audience = [member for member in talk.members() if talk.participants[member].start <= up_to]
        if up_to > participant.delivered:
            participant.delivered = up_to
            self.news.append(ReceiptNews(label, "delivered", actor, up_to, newest, audience, session))
        if kind == "read" and up_to > participant.read:
            participant.read = up_to
            self.news.append(ReceiptNews(label, "read", actor, up_to, newest, audience, session))

    # --- Groups ---------------------------------------------------------------------------

    def update(self, actor: str, label: str, changes: dict[str, str]) -> None:
        """Change name or description."""
        talk = self._allowed(actor, label, "update_conversation")
        changed = {field: text.strip() for field, text in changes.items() if getattr(talk, field) != text.strip()}
        for changed_field, text in changed.items():
            setattr(talk, changed_field, text)
        if changed:
            self.steps += 1
            self._append(talk, "conversation_updated")
        if "name" in changed:
            self._note(talk, "conversation_renamed", actor, name=talk.name)

    def add(self, actor: str, label: str, people: list[str]) -> list[str]:
        """Add people; return the new participants."""
        talk = self._allowed(actor, label, "add_participants")
        coming = [each for each in dict.fromkeys(people) if each not in talk.members()]
        if coming:
            self.steps += 1
        for each in coming:
            first = talk.participants[each].first if each in talk.participants else len(talk.participants)
            start = talk.head + 1
            talk.participants[each] = Participant(
                "member", self.steps, first, start, delivered=start - 1, read=start - 1
            )
            self._append(talk, "participant_added", person=each)
        if coming:
            self._note(talk, "participants_added", actor, coming)
        return coming

    def remove(self, actor: str, label: str, other: str) -> None:
        """Remove somebody, or leave."""
        if other == actor:
            self.leave(actor, label)
            return
        talk = self._allowed(actor, label, "remove_participants")
        if other not in talk.members():
            raise Refusal("not_a_participant")
        role = talk.participants[other].role
        if role == "owner" or (role == "admin" and talk.participants[actor].role != "owner"):
            raise Refusal("forbidden")
        self._part(talk, other)
        self._note(talk, "participant_removed", actor, [other])

    def leave(self, actor: str, label: str) -> None:
        """Leave a group; the heir of an owner becomes owner."""
        talk = self._allowed(actor, label, "leave")
        self._part(talk, actor)
        heir = successor_of(talk.participants, talk.members()) if talk.participants[actor].role == "owner" else None
        if heir is not None:
            talk.participants[heir].role, talk.participants[heir].may_write = "owner", True
            self._append(talk, "participant_updated", person=heir)
        self._note(talk, "participant_left", actor, [actor])

    def update_participant(self, actor: str, label: str, other: str, role: str | None, may_write: bool | None) -> None:
        """Change somebody's role or right to write; a new owner makes the old one an admin."""
        talk = self._of(actor, label)
        if talk.type == "direct":
            raise Refusal("forbidden")
        if other not in talk.members():
            raise Refusal("not_a_participant")
        mine, theirs = talk.participants[actor], talk.participants[other]
        my_role, their_role, writes = mine.role, theirs.role, theirs.may_write
        if role is not None and role != their_role:
            if my_role != "owner" or other == actor:
                raise Refusal("forbidden")
            their_role = role
            if role == "owner":
                my_role, writes = "admin", True
        if may_write is not None and may_write != writes:
            if other == actor or not may_withhold(my_role, their_role):
                raise Refusal("forbidden")
            writes = may_write
        changed = [name for name, old, new in ((actor, mine.role, my_role),) if old != new]
        if (their_role, writes) != (theirs.role, theirs.may_write):
            changed.append(other)
        role_changed = their_role != theirs.role
        mine.role, theirs.role, theirs.may_write = my_role, their_role, writes
        self.steps += bool(changed)
        for each in changed:
            self._append(talk, "participant_updated", person=each)
        if role_changed:
            self._note(talk, "role_changed", actor, [other])

    def set_own(self, actor: str, label: str, changes: Shown) -> None:
        """Change own settings; for the others the event is hidden."""
        talk = self._of(actor, label)
        participant = talk.participants[actor]
        if participant.own != participant.own | changes:
            participant.own |= changes
            self.steps += 1
            self._append(talk, "my_place_updated", person=actor)

    # --- Parts of the actions ----------------------------------------------------------------------------

    def _of(self, actor: str, label: str) -> Conversation:
        talk = self.conversations.get(label)
        if talk is None or actor not in talk.members():
            raise Refusal("not_found")
        return talk

    def _allowed(self, actor: str, label: str, permission: str) -> Conversation:
        talk = self._of(actor, label)
        if permission not in may(talk.type, talk.participants[actor]):
            raise Refusal("forbidden")
        return talk

    def _seen(self, actor: str, label: str, sequence: int) -> tuple[Conversation, Message]:
        talk = self._of(actor, label)
        if sequence not in talk.messages or sequence < talk.participants[actor].start:
            raise Refusal("not_found")
        return talk, talk.messages[sequence]

    def _part(self, talk: Conversation, person: str) -> None:
        self.steps += 1
        audience = talk.members()
        talk.participants[person].here = False
        self._append(talk, "participant_removed", person=person, audience=audience)

    def _write(self, talk: Conversation, sender: str | None, type: str) -> Message:
        message = talk.messages[talk.head + 1] = Message(talk.head + 1, sender, type)
        talk.last_activity = (self.steps, message.sequence)
        self._append(talk, "new_message")
        return message

    def _note(
        self, talk: Conversation, event: str, actor: str, people: list[str] | None = None, name: str | None = None
    ) -> None:
        if talk.type == "direct":
            return
        metadata: Shown = {"event": event, "actor": actor}
        if people:
            metadata |= {"people": people, "count": len(people)}
        if name is not None:
            metadata["name"] = name
        self._write(talk, None, "system").metadata = metadata

    def _append(
        self,
        talk: Conversation,
        kind: str,
        *,
        subject: int | None = None,
        person: str | None = None,
        audience: list[str] | None = None,
    ) -> None:
        event = Event(talk.head + 1, kind, subject or talk.head + 1, person)
        talk.log.append(event)
        self.news.append(EventNews(talk.label, event, talk.members() if audience is None else audience))
