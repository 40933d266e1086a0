"""People who are away, each with a device that is pushed to; runs in a process of its own, with Django.

`python -m benchmarks.away 10000 500` makes one group of a sender and so many others, of whom so many have an iPhone, a
direct conversation of the sender with one of them, 2,000 more among others, for the tables to be like those of a server
that is in use, and two pairs of new people who talk to each other. It prints
`{token, group_id, direct_id, pairs: [[place, place], ...]}`. People, group and devices are written set by set, as the
product's services would have written them.
"""

from __future__ import annotations

import json
import os
import sys
from secrets import token_hex
from typing import Any

DIRECTS = 2_000


def main(members: int, devices: int) -> dict[str, object]:
    """Make everything and describe it."""
    from django.db import connection, transaction

    from benchmarks.population import new_conversation, new_people

    with transaction.atomic():
        people = new_people(members + 1)
        token = people[0][1]
        users: list[Any] = [user for user, _ in people]
        group_id = _group_of(users)
        _give_iphones(users[1 : devices + 1])
        direct = new_conversation(people[:2])
        for number in range(min(DIRECTS, members // 2)):
            new_conversation(people[2 + number : 4 + number])
        pairs = [new_conversation(new_people(2)) for _ in range(2)]
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {"token": token, "group_id": group_id, "direct_id": direct[0]["conversation_id"], "pairs": pairs}


def _group_of(users: list[Any]) -> str:
    from django.utils import timezone

    from conversations.event_kinds import CONVERSATION_CREATED
    from conversations.models import Conversation, Event, Participant

    now, owner = timezone.now(), users[0]
    group = Conversation.objects.create(
        type="group", name="Everybody", created_by=owner, created_at=now, updated_at=now, last_activity_at=now,
        last_sequence=1, participant_count=len(users),
    )  # fmt: skip
    Participant.objects.bulk_create(
        Participant(conversation=group, user=user, role="owner" if user is owner else "member", joined_at=now)
        for user in users
    )
    Event.objects.create(
        conversation=group, sequence=1, kind=CONVERSATION_CREATED.name, subject_sequence=1, actor_id=owner.id,
        created_at=now,
    )  # fmt: skip
    return str(group.id)


def _give_iphones(users: list[Any]) -> None:
    from django.utils import timezone
    from push_notifications.models import APNSDevice

    from accounts.models import DeviceSession
    from notifications.models import PushDevice

    sessions = dict(DeviceSession.objects.filter(user__in=users).values_list("user_id", "id"))
    tokens = APNSDevice.objects.bulk_create(APNSDevice(user=user, registration_id=token_hex(32)) for user in users)
    now = timezone.now()
    PushDevice.objects.bulk_create(
        PushDevice(
            user=user, session_id=sessions[user.id], provider="apns", apns=token, created_at=now, registered_at=now
        )
        for user, token in zip(users, tokens, strict=True)
    )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    import django

    django.setup()
    json.dump(main(int(sys.argv[1]), int(sys.argv[2])), sys.stdout)
