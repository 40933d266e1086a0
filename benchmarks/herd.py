"""People who reconnect all at once, and pairs that chat meanwhile; runs in a process of its own, with Django.

`python -m benchmarks.herd 2000 20` opens a session for each of the first 2,000 people of the load data in the database,
makes 20 pairs of new people, and prints `{clients: [{token, cursors, heads}], pairs: [[place, place], ...]}`.
In every third of its conversations a client has missed the last two events.
"""

from __future__ import annotations

import json
import os
import sys

MISSED_EVERY, MISSED = 3, 2


def main(clients: int, pairs: int) -> dict[str, object]:
    """Make everything and return its description."""
    from django.db import connection

    from accounts.models import User
    from benchmarks.population import new_conversation, new_people, new_sessions
    from conversations.selectors import heads_of

    users = list(User.objects.order_by("id")[:clients])
    tokens = new_sessions(users)
    known = []
    for user, token in zip(users, tokens, strict=True):
        heads = {str(id): held.last_sequence for id, held in heads_of(user.id)[1].items()}
        cursors = {
            id: max(0, head - (MISSED if number % MISSED_EVERY == 0 else 0))
            for number, (id, head) in enumerate(heads.items())
        }
        known.append({"token": token, "cursors": cursors, "heads": heads})
    people = new_people(2 * pairs)
    made = [new_conversation(people[number : number + 2]) for number in range(0, 2 * pairs, 2)]
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return {"clients": known, "pairs": made}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")
    import django

    django.setup()
    json.dump(main(*map(int, sys.argv[1:])), sys.stdout)
