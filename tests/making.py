"""Creates people, conversations and messages for unit tests, through the services."""

import threading
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

from accounts.models import User
from conversations import services
from conversations.models import Conversation, Participant
from conversations.selectors import mention_count, unread_count
from messaging.frames import Mention
from messaging.models import ReceiptChange
from messaging.services.drafts import Send
from messaging.services.receipts import ReceiptUpdate, record_receipt
from messaging.services.send import Sent, send_message
from realtime.wire.errors import DomainError
from tests.waiting import DEADLINE

PASSWORD = "correct horse battery"
HERE = "192.0.2.7"


def person(username: str, **fields: Any) -> User:
    """Create a person who can sign in."""
    return User.objects.create_user(username, PASSWORD, **fields)


def people(*usernames: str) -> list[User]:
    return [person(username) for username in usernames]


def direct(user: User, other: User) -> Conversation:
    conversation, _ = services.start_direct(user=user, other_id=other.id)
    return conversation


def group(owner: User, *others: User, **fields: Any) -> Conversation:
    return services.create_group(user=owner, participant_ids=[other.id for other in others], **fields)


def draft(conversation: Conversation, sender: User, content: str = "hi", **fields: Any) -> Send:
    """Return a send that is not sent yet."""
    fields.setdefault("client_message_id", uuid.uuid4())
    return Send(conversation_id=conversation.id, sender_id=sender.id, content=content, **fields)


def naming(*users: User) -> list[Mention]:
    """Return one mention per person; each covers one code point, from the beginning of the text."""
    return [Mention(user_id=user.id, offset=offset, length=1) for offset, user in enumerate(users)]


def say(conversation: Conversation, sender: User, content: str = "hi", **fields: Any) -> Sent:
    return send_message(draft(conversation, sender, content, **fields))


def read(
    conversation: Conversation, user: User, sequence: int | None = None, kind: str = ReceiptChange.Kind.READ
) -> None:
    """Set the position of a person to a sequence; without one, to the head."""
    if sequence is None:
        sequence = Conversation.objects.get(id=conversation.id).last_sequence
    record_receipt(ReceiptUpdate(user_id=user.id, kind=kind, conversation_id=conversation.id, sequence=sequence))


def participant(conversation: Conversation, user: User) -> Participant:
    """Return the participant from the database."""
    return Participant.objects.select_related("conversation").get(conversation=conversation, user=user)


def unread(conversation: Conversation, user: User) -> int:
    found = participant(conversation, user)
    return unread_count(found, found.conversation.message_count)


def mentions(conversation: Conversation, user: User) -> int:
    return mention_count(participant(conversation, user))


def at_once(works: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run works in threads that start together; return their results, or the DomainErrors they raised."""
    together = threading.Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        together.wait(DEADLINE)
        try:
            return work()
        except DomainError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
