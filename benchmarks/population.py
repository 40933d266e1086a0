"""People, sessions and conversations for the workloads; runs in a process of its own, with Django.

`python -m benchmarks.population '{"w3": [[501]], ...}'` makes, for each workload, conversations of the
given sizes (2: direct; more: a group) with people of their own, and prints
`{"w3": [[{token, conversation_id, sequence}, ...one per person...], ...one per conversation...]}`.

Works on the database that the environment names. Accounts and sessions are written set by set, past
passwords; conversations and a history of 10,000 messages between other people come from the product's
own services. Without a history PostgreSQL would plan for empty tables and keep to those plans.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from typing import Any

HISTORY_PAIRS, HISTORY_ROUNDS = 50, 200


def main(wanted: dict[str, list[int]], beside: int = 0) -> dict[str, list[list[dict[str, object]]]]:
    """Make everything and describe it."""
    from django.db import connection, transaction

    wanted = {**wanted, "history": [2] * HISTORY_PAIRS}
    people = iter(new_people(sum(sum(sizes) for sizes in wanted.values())))
    made = {}
    with transaction.atomic():
        for workload, sizes in wanted.items():
            crowds = [[next(people) for _ in range(size)] for size in sizes]
            made[workload] = [new_conversation(crowd) for crowd in crowds]
            if beside and workload == "talking":
                _add_conversations(crowds, beside)
    _write_history(made.pop("history"))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")  # as autovacuum does within a minute
    return made


def new_people(count: int) -> list[tuple[object, str]]:
    """Create so many people with one session each; return them with their tokens."""
    from django.contrib.auth.hashers import make_password

    from accounts.models import User

    run, password = secrets.token_hex(3), make_password(None)
    users = User.objects.bulk_create(
        User(username=f"bench-{run}-{number}", display_name=f"Person {number}", password=password)
        for number in range(count)
    )
    return list(zip(users, new_sessions(users), strict=True))


def new_sessions(users: list[Any]) -> list[str]:
    """Open one session for each user; return their tokens."""
    from accounts.models import DeviceSession, token_hash

    tokens = [secrets.token_urlsafe(32) for _ in users]
    DeviceSession.objects.bulk_create(
        (
            DeviceSession(
                user=user,
                token_hash=token_hash(token),
                password_fingerprint=user.get_session_auth_hash(),
                device_id=f"device-{user.username}",
                device_name="benchmark",
            )
            for user, token in zip(users, tokens, strict=True)
        ),
        batch_size=1_000,  # each hash is a parameter, of which a statement has 65,535 at most
    )
    return tokens


def new_conversation(people: list[tuple[object, str]]) -> list[dict[str, object]]:
    """Create one conversation of these people; return each one's place in it."""
    from conversations.services import create_group, start_direct

    owner, others = people[0][0], [person.id for person, _ in people[1:]]
    if len(people) == 2:
        conversation, _ = start_direct(user=owner, other_id=others[0])
    else:
        conversation = create_group(user=owner, participant_ids=others, name="Benchmark")
    conversation.refresh_from_db()
    return [
        {"token": token, "conversation_id": str(conversation.id), "sequence": conversation.last_sequence}
        for _, token in people
    ]


def _add_conversations(crowds: list[list[tuple[object, str]]], count: int) -> None:
    """Put each crowd into so many more, silent groups, set by set, as `create_group` would have made them."""
    from django.utils import timezone

    from conversations.event_kinds import CONVERSATION_CREATED
    from conversations.models import Conversation, Event, Participant

    now = timezone.now()
    for crowd in crowds:
        people = [person for person, _ in crowd]
        groups = Conversation.objects.bulk_create(
            Conversation(
                type="group", name=f"Group {number}", created_by=people[0], created_at=now, updated_at=now,
                last_activity_at=now, last_sequence=1, participant_count=len(people),
            )
            for number in range(count)
        )  # fmt: skip
        Participant.objects.bulk_create(
            Participant(
                conversation=group, user=person, role="owner" if person is people[0] else "member", joined_at=now
            )
            for group in groups
            for person in people
        )
        Event.objects.bulk_create(
            Event(
                conversation=group, sequence=1, kind=CONVERSATION_CREATED.name, subject_sequence=1,
                actor_id=people[0].id, created_at=now,
            )
            for group in groups
        )  # fmt: skip


def _write_history(conversations: list[list[dict[str, object]]]) -> None:
    """Write messages in turns, one batch per round."""
    from uuid import UUID, uuid4

    from accounts.models import DeviceSession, token_hash
    from messaging.services.drafts import Send
    from messaging.services.send import send_messages

    hashes = [token_hash(str(people[0]["token"])) for people in conversations]
    senders = {
        bytes(row[0]): row[1]
        for row in DeviceSession.objects.filter(token_hash__in=hashes).values_list("token_hash", "user_id")
    }
    places = [
        (UUID(str(people[0]["conversation_id"])), senders[hash_])
        for people, hash_ in zip(conversations, hashes, strict=True)
    ]
    for _ in range(HISTORY_ROUNDS):
        send_messages(
            [
                Send(
                    conversation_id=conversation_id, sender_id=sender_id, client_message_id=uuid4(), content="Long ago"
                )
                for conversation_id, sender_id in places
            ]
        )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    import django

    django.setup()
    json.dump(main(json.loads(sys.argv[1]), *map(int, sys.argv[2:])), sys.stdout)
