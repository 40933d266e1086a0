"""The reader, the same on a table of any size; runs in a process of its own, with Django.

`python -m benchmarks.reader` gives one person 80 direct conversations and 20 groups of five with 10,000 messages,
5,051 of them in one conversation, and prints the state of that person's client: `{token, conversation_id (of the large
one), heads, cursors (from before the last messages), since}`. The product's own services write everything, message by
message in turns: the rows of a page of history are as far apart as in a table that grew over time.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import uuid
from typing import Any

DIRECT, GROUPS, GROUP_SIZE = 80, 20, 5
CONVERSATIONS = DIRECT + GROUPS
ROUNDS, MORE_IN_THE_LARGE_ONE = 50, 100  # messages of each conversation, and more per round in one of them
MESSAGES = (CONVERSATIONS + MORE_IN_THE_LARGE_ONE) * ROUNDS
MISSED_IN, MISSED_EACH = 20, 2  # conversations with new messages since the last catch-up, and messages in each
UNREAD_IN = 30


def main() -> dict[str, object]:
    """Make everything and return its description."""
    from django.db import connection
    from django.utils import timezone

    from benchmarks.population import new_people
    from conversations.models import Conversation
    from conversations.services import create_group, start_direct
    from messaging.models import ReceiptChange

    (reader, token), *others = new_people(1 + DIRECT)
    peers = [person for person, _ in others]
    talks: list[tuple[uuid.UUID, list[Any]]] = []
    for peer in peers:
        conversation, _ = start_direct(user=reader, other_id=peer.id)
        talks.append((conversation.id, [peer, reader]))
    for number in range(GROUPS):
        members = [peers[(number * 4 + place) % DIRECT] for place in range(GROUP_SIZE - 1)]
        group = create_group(user=members[0], participant_ids=[reader.id, *(each.id for each in members[1:])], name="G")
        talks.append((group.id, [*members, reader]))
    large = talks[0]
    for number in range(ROUNDS):
        _say([*talks, *[large] * MORE_IN_THE_LARGE_ONE], number)
    heads = dict(Conversation.objects.filter(id__in=[id for id, _ in talks]).values_list("id", "last_sequence"))
    _read([(id, person) for id, people in talks for person in people], heads)
    ReceiptChange.objects.update(moved_at=timezone.now() - datetime.timedelta(days=1))
    cursors, since = dict(heads), timezone.now()
    for number in range(MISSED_EACH):
        _say(talks[:UNREAD_IN], number * 2)  # an even round, in which the reader did not write
    heads = dict(Conversation.objects.filter(id__in=[id for id, _ in talks]).values_list("id", "last_sequence"))
    _read([(id, people[0]) for id, people in talks[:MISSED_IN]], heads)
    cursors |= {id: heads[id] for id, _ in talks[MISSED_IN:]}
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {
        "token": token,
        "conversation_id": str(large[0]),
        "heads": {str(id): head for id, head in heads.items()},
        "cursors": {str(id): cursor for id, cursor in cursors.items()},
        "since": since.isoformat(),
    }


def _say(talks: list[tuple[uuid.UUID, list[Any]]], round_: int) -> None:
    """Send one message in each of these conversations, in one batch."""
    from messaging.services.drafts import Send
    from messaging.services.send import Sent, send_messages

    sends = [
        Send(id, people[round_ % len(people)].id, uuid.uuid4(), content=f"This is what is said in round {round_}.")
        for id, people in talks
    ]
    assert all(isinstance(result, Sent) for result in send_messages(sends))


def _read(places: list[tuple[uuid.UUID, Any]], heads: dict[uuid.UUID, int]) -> None:
    """Let people read these conversations to the end."""
    from messaging.models import ReceiptChange
    from messaging.services.receipts import ReceiptUpdate, record_receipts

    marks = [
        ReceiptUpdate(user_id=person.id, kind=ReceiptChange.Kind.READ, conversation_id=id, sequence=heads[id])
        for id, person in places
    ]
    assert set(record_receipts(marks)) == {None}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    import django

    django.setup()
    json.dump(main(), sys.stdout)
