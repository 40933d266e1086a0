"""Sends the request of one row of the rights matrix as one actor, and undoes its effects."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from tests.contracts.matrix import Row
from tests.contracts.world import World, filled


def ask(row: Row, actor: str, world: World, **other: str) -> HttpResponse:
    """Make a row's request as an actor."""
    names = {
        "conversation_id": str(world.group.id),
        "message_id": world.message,
        "newest_id": world.newest,
        "direct_id": str(world.direct.id),
        "direct_message_id": world.direct_message,
        "user_id": world.id_of("bystander"),
        "my_id": world.id_of(actor) if actor != "anonymous" else str(uuid4()),
        "other_session_id": str(world.sessions["other_device"].id),
    }
    names |= {f"{name}_id": str(user.id) for name, user in world.users.items()}
    names |= other
    method, path = row.route.split(" ")
    path = path.format_map(names | {name: value.format_map(names) for name, value in row.path.items()})
    if row.body == "{cursors}":
        body = json.dumps({"cursors": {names["conversation_id"]: 0}, "since": "2020-01-01T00:00:00Z"})
    else:
        body = json.dumps(filled(row.body, names)) if row.body is not None else ""
    return Client().generic(
        method,
        path + row.query.format_map(names),
        body,
        content_type="application/json",
        headers=world.headers(actor),
    )


@contextmanager
def undone() -> Iterator[None]:
    """Undo the changes that the block makes in the stores, so that each actor finds the same world."""
    cache.clear()  # it counts attempts to sign in and to register
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
