"""`manage.py seed_demo`: people and conversations to look at. Running it again changes nothing."""

import uuid
from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from accounts.models import User
from conversations import services
from conversations.models import Conversation
from messaging.models import Message, ReceiptChange
from messaging.services.drafts import Send
from messaging.services.receipts import ReceiptUpdate, record_receipt
from messaging.services.send import Sent, send_messages
from realtime.wire.errors import DomainError

PASSWORD = "chatsite-demo"  # noqa: S105 - public on purpose
PEOPLE = {
    "ana": ("Ana Horvat", "Product. Mostly tea, sometimes answers."),
    "ben": ("Ben Okafor", "Builds things, then reads the manual."),
    "cleo": ("Cleo Martin", "Design. Kerning is a feeling."),
    "dan": ("Dan Lindqvist", "On call this week."),
}
STAFF = "ana"
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
# Ids are derived from the messages, so that a second run repeats the same sends.
NAMESPACE = uuid.UUID("5f0c9a5e-5f3c-4f0e-9a34-6d1c7a1f8a10")


class Command(BaseCommand):
    """Makes four people with a known password, to try the product. Never run it on a server that strangers reach."""

    help = "Create demo people and conversations (idempotent)."

    def handle(self, *args: Any, **options: Any) -> None:
        people = {name: self._person(name) for name in PEOPLE}
        try:
            self._converse(people)
        except DomainError as error:
            # Somebody was deactivated, has left or was removed since. The rest of the demo stays.
            self.stderr.write(f"The demo conversations stay as they are: {error.message}")
        self.stdout.write(f"Demo people: {', '.join(PEOPLE)}; password: {PASSWORD}. {STAFF} may use /admin/, too.")

    def _converse(self, people: dict[str, User]) -> None:
        direct, _ = services.start_direct(user=people["ana"], other_id=people["ben"].id)
        group = Conversation.objects.filter(name=GROUP_NAME, created_by=people["cleo"]).first()
        if group is None:
            others = [person.id for name, person in people.items() if name != "cleo"]
            group = services.create_group(user=people["cleo"], participant_ids=others, name=GROUP_NAME)
        lines = [self._send(direct, people[name], content, content=content) for name, content in DIRECT]
        talk = [self._send(group, people[name], content, content=content) for name, content in GROUP]
        place = self._send(group, people["cleo"], "place", message_type=Message.Type.LOCATION, metadata=PLACE)
        late, _ = services.start_direct(user=people["cleo"], other_id=people["dan"].id)
        late_lines = [self._send(late, people[name], content, content=content) for name, content in LATE]
        for sends, readers in ((lines, ("ana", "ben")), ([*talk, place], ("cleo", "ben")), (late_lines, ())):
            last = self._written(sends)
            for name in readers:
                # Up to the demo's own last message: later messages stay unread.
                record_receipt(
                    ReceiptUpdate(
                        user_id=people[name].id,
                        kind=ReceiptChange.Kind.READ,
                        conversation_id=last.conversation_id,
                        sequence=last.sequence,
                    )
                )

    def _person(self, username: str) -> User:
        display_name, about = PEOPLE[username]
        with transaction.atomic():
            person = User.objects.named(username)
            if person is None:
                staff = username == STAFF
                person = User.objects.create_user(
                    username,
                    PASSWORD,
                    display_name=display_name,
                    about=about,
                    is_staff=staff,
                    is_superuser=staff,
                )
        return person

    def _written(self, sends: list[Send]) -> Sent:
        """Write messages that may have been written before; return the last one."""
        written = [result for result in send_messages(sends) if isinstance(result, Sent)]
        if len(written) < len(sends):
            raise DomainError("conflict", "some messages can no longer be sent.")
        return written[-1]

    def _send(self, conversation: Conversation, sender: User, key: str, **fields: Any) -> Send:
        client_message_id = uuid.uuid5(NAMESPACE, f"{conversation.id}|{sender.id}|{key}")
        return Send(conversation.id, sender.id, client_message_id, **fields)
