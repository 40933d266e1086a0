"""The presence of a person for a viewer, and what the records of connections show of a moment."""

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

import redis
from django.db.models import Min, Q

from accounts.selectors import blocked_pairs, is_blocked_pair
from conversations.selectors import shares_conversation, sharing_conversation
from presence import frames
from presence.models import AFTER_COMMIT, Connection, ServerProcess
from presence.store import Shown, store
from realtime.wire.errors import TryAgain

NOTHING_KNOWN = frames.PresenceBody(status="offline", activity=None, last_seen=None)


def visible_presence(viewer_id: UUID, user_id: UUID) -> frames.PresenceBody | None:
    """Return what a viewer sees of a person's presence.

    None for people who share no conversation, and while the store is away. A blocked pair sees each other offline.
    """
    if user_id != viewer_id and not shares_conversation(viewer_id, user_id):
        return None
    if is_blocked_pair(viewer_id, user_id):
        return NOTHING_KNOWN
    try:
        if user_id == viewer_id and store().invisible([str(user_id)]):
            return frames.PresenceBody(status="invisible", activity=None, last_seen=None)
        shown = store().shown([str(user_id)]).get(str(user_id))
    except redis.RedisError:
        return None
    if shown is None:
        return NOTHING_KNOWN
    return frames.PresenceBody(status=shown.status, activity=shown.activity, last_seen=shown.seen_at)


def visible_presences(viewer_id: UUID, user_ids: Collection[UUID]) -> list[frames.PersonPresence]:
    """Return what a viewer sees of the presence of several people, by the rules of `visible_presence`.

    People who share no conversation with the viewer are left out.

    :raises TryAgain: the store is away.
    """
    visible = (sharing_conversation(viewer_id, user_ids) | {viewer_id}) & set(user_ids)
    (blocked,) = blocked_pairs([viewer_id]).values()
    names = [str(user_id) for user_id in visible - blocked]
    try:
        shown = store().shown(names)
        mine = store().invisible([str(viewer_id)])
    except redis.RedisError as error:
        raise TryAgain from error
    found = []
    for user_id in sorted(visible):
        each = shown.get(str(user_id), Shown("offline"))
        status: frames.OwnStatus = "invisible" if str(user_id) in mine else each.status
        last_seen = None if status == "invisible" else each.seen_at
        found.append(frames.PersonPresence(user_id=user_id, status=status, activity=each.activity, last_seen=last_seen))
    return found


# --- Records of connections -----------------------------------------------------------------


class Written(StrEnum):
    """What is known of the write to a device's socket. Only WRITTEN is certain."""

    WRITTEN = "written"
    WAITED = "not known: frames waited for this device since"
    ENDED = "not known: the connection ended"
    UNHEARD = "not known: its server was last heard of"
    NO_CONNECTION = "no connection on record"


# Best first. If a device had several connections, the best value counts.
_BEST = list(Written)


@dataclass(frozen=True, slots=True)
class SocketReach:
    """What is known of one device and one moment.

    `at`: for WRITTEN, about when it was written; else the time that the value names. `connected_later_at`: the next
    connection of the device began then, so it could catch up.
    """

    written: Written
    at: datetime.datetime | None = None
    close_code: int | None = None
    connected_later_at: datetime.datetime | None = None


def reach_at(moment: datetime.datetime, user_ids: Collection[UUID]) -> dict[UUID, SocketReach]:
    """Return for each device session of these people what is known of an event committed at this moment.

    A session without an entry had no connection then or later, as far as the records show.
    """
    mine = Connection.objects.filter(user_id__in=user_ids)
    later = dict(
        mine.filter(opened_at__gt=moment).order_by().values_list("session_id").annotate(first=Min("opened_at"))
    )
    then = list(mine.filter(Q(closed_at=None) | Q(closed_at__gte=moment), opened_at__lte=moment))
    seen_at = dict(ServerProcess.objects.filter(id__in={each.process_id for each in then}).values_list("id", "seen_at"))
    found = {session_id: SocketReach(Written.NO_CONNECTION, connected_later_at=at) for session_id, at in later.items()}
    for connection in then:
        written, at = _written(connection, moment, seen_at.get(connection.process_id, connection.opened_at))
        known = found.get(connection.session_id)
        if known is None or _BEST.index(written) < _BEST.index(known.written):
            close_code = connection.close_code if written == Written.ENDED else None
            found[connection.session_id] = SocketReach(written, at, close_code, later.get(connection.session_id))
    return found


def _written(
    connection: Connection, moment: datetime.datetime, seen_at: datetime.datetime
) -> tuple[Written, datetime.datetime]:
    until = connection.written_until or seen_at
    if moment + AFTER_COMMIT <= until:
        return Written.WRITTEN, moment
    if connection.closed_at is not None:
        return Written.ENDED, connection.closed_at
    if connection.written_until is not None:
        return Written.WAITED, connection.written_until
    return Written.UNHEARD, seen_at
