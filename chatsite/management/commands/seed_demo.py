"""`manage.py seed_demo`: people and conversations to look at. Running it again changes nothing."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from accounts.models import User
from conversations import services
from conversations.models import Conversation
from messaging.models import Message, ReceiptMove
from messaging.services.receipts import Mark, set_mark
from messaging.services.send import Send, send_messages
from realtime.errors import DomainError

PASSWORD = "chatsite-demo"  # noqa: S105 - everybody may know it
PEOPLE = {
    "ana": ("Ana Horvat", "Product. Mostly tea, sometimes answers."),
    "ben": ("Ben Okafor", "Builds things, then reads the manual."),
    "cleo": ("Cleo Martin", "Design. Kerning is a feeling."),
    "dan": ("Dan Lindqvist", "On call this week."),
}
DIRECT = (
    ("ana", "Morning! Did the release go out?"),
    ("ben", "Just now. Two minutes, no downtime."),
    ("ana", "And nobody noticed?"),
    ("ben", "That is the best part."),
)
GROUP_NAME = "Launch week"
GROUP = (
    ("cleo", "New screenshots are in. The dark ones are my favourite."),
    ("ana", "They are beautiful. Can we use the second one on the front page?"),
    ("dan", "I pulled the network cable twice during the demo. Every message was there when it came back."),
    ("ben", "As it should be."),
    ("cleo", "Meet at the Old Mill at seven?"),
)
PLACE = {"latitude": 52.5163, "longitude": 13.3777, "label": "Old Mill"}
LATE = (("dan", "I am free after eight, save me a seat."), ("cleo", "Always."))
# Ids made from what a message is, so that a second run repeats the same sends.
NAMESPACE = uuid.UUID("5f0c9a5e-5f3c-4f0e-9a34-6d1c7a1f8a10")


class Command(BaseCommand):
    """Makes four people with a known password, for trying the product, never for a server that strangers reach."""

    help = "Create demo people and conversations (idempotent)."

    def handle(self, *args: Any, **options: Any) -> None:
        people = {name: self._person(name) for name in PEOPLE}
        direct, _ = services.start_direct(user=people["ana"], other_id=people["ben"].id)
        group = Conversation.objects.filter(name=GROUP_NAME, created_by=people["cleo"]).first()
        if group is None:
            others = [person.id for name, person in people.items() if name != "cleo"]
            group = services.create_group(user=people["cleo"], participant_ids=others, name=GROUP_NAME)
        self._talk(direct, people, DIRECT)
        self._talk(group, people, GROUP)
        place = self._send(group, people["cleo"], "place", message_type=Message.Type.LOCATION, metadata=PLACE)
        late, _ = services.start_direct(user=people["cleo"], other_id=people["dan"].id)
        self._talk(late, people, LATE)
        send_messages([place])
        for name, conversation in (("ana", direct), ("ben", direct), ("cleo", group), ("ben", group)):
            conversation.refresh_from_db()
            mark = Mark(
                user_id=people[name].id,
                kind=ReceiptMove.Kind.READ,
                conversation_id=conversation.id,
                sequence=conversation.last_sequence,
            )
            set_mark(mark)
        self.stdout.write(f"Demo people: {', '.join(PEOPLE)}; password: {PASSWORD}")

    def _person(self, username: str) -> User:
        display_name, about = PEOPLE[username]
        with transaction.atomic():
            person = User.objects.filter(username=username).first()
            if person is None:
                staff = username == "ana"
                person = User.objects.create_user(
                    username,
                    PASSWORD,
                    display_name=display_name,
                    about=about,
                    is_staff=staff,
                    is_superuser=staff,
                )
        return person

    def _talk(self, conversation: Conversation, people: dict[str, User], lines: tuple[tuple[str, str], ...]) -> None:
        for result in send_messages(
            [self._send(conversation, people[name], content, content=content) for name, content in lines]
        ):
            # Somebody may have changed the demo conversations since; what is refused stays as it is.
            if isinstance(result, DomainError):
                self.stderr.write(f"not repeated: {result.message}")

    def _send(self, conversation: Conversation, sender: User, key: str, **fields: Any) -> Send:
        client_message_id = uuid.uuid5(NAMESPACE, f"{conversation.id}|{sender.id}|{key}")
        return Send(conversation.id, sender.id, client_message_id, **fields)
