"""A group with one person in each role, for tests of groups."""

import uuid
from typing import Any

from conversations import services
from conversations.models import Event, Participant
from messaging.models import Message
from tests.making import group, participant, people, say


class Team:
    """A group with owner, admin, two members and one who left, and a stranger who is only in other groups."""

    def __init__(self) -> None:
        names = ("owner", "admin", "member", "other", "former", "stranger")
        self.people = dict(zip(names, people(*names), strict=True))
        inside = [self.people[name] for name in names[:-1]]
        group(self.people["stranger"])
        self.group = group(*inside, name="Team")
        self.update("owner", "admin", role="admin")
        self.leave("former")
        say(group(self.people["stranger"], self.people["former"]), self.people["former"])

    def id(self, name: str) -> uuid.UUID:
        return self.people[name].id

    def here(self, actor: str) -> dict[str, Any]:
        return {"user_id": self.id(actor), "conversation_id": self.group.id}

    def add(self, actor: str, *names: str) -> list[Participant]:
        return services.add_participants(**self.here(actor), user_ids=[self.id(name) for name in names])

    def remove(self, actor: str, name: str) -> None:
        services.remove_participant(**self.here(actor), other_id=self.id(name))

    def leave(self, actor: str) -> None:
        services.leave(**self.here(actor))

    def update(self, actor: str, name: str, **changes: Any) -> Participant:
        return services.update_participant(**self.here(actor), other_id=self.id(name), **changes)

    def rename(self, actor: str, **changes: str) -> None:
        services.update_conversation(**self.here(actor), changes=changes or {"name": "New"})

    def role(self, name: str) -> str | None:
        found = participant(self.group, self.people[name])
        return None if found.left_at else found.role

    def log(self) -> list[tuple[str, str | None, str | None]]:
        """The group's events as (kind, actor, affected user)."""
        names: dict[uuid.UUID | None, str] = {person.id: name for name, person in self.people.items()}
        events = Event.objects.filter(conversation=self.group).order_by("sequence")
        return [(event.kind, names.get(event.actor_id), names.get(event.user_id)) for event in events]

    def notes(self) -> list[dict[str, Any]]:
        """Metadata of the group's system messages, in order."""
        system = Message.objects.filter(conversation=self.group, message_type="system").order_by("sequence")
        return [message.metadata for message in system]
