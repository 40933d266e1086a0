"""Changes presence, notifies peers, writes records of connections. Synchronous; called from a thread, in batches."""

import datetime
from collections.abc import Collection, Iterable
from uuid import UUID

import redis
from django.db.models import Q

from accounts.selectors import blocked_pairs, is_blocked_pair
from conversations.selectors import LISTED_PARTICIPANTS, members_among, peers_of, shares_conversation
from presence.frames import Presence
from presence.models import Connection, ServerProcess
from presence.store import Lease, Shown, store
from realtime.fanout.door import announce_now_without_commit
from realtime.wire.announcements import EphemeralEvent
from realtime.wire.bodies import encode
from realtime.wire.errors import TryAgain

ROWS_PER_STATEMENT = 1_000
PURGED_AT_ONCE = 5_000


def choose_status(*, user_id: str, status: str, activity: str | None) -> None:
    """Store the status that a person chose, and notify their peers.

    :raises TryAgain: the store is away.
    """
    try:
        store().choose(user_id, status, activity)
        announce_presence(store().settle([user_id]))
    except redis.RedisError as error:
        raise TryAgain from error


def renew(leases: Iterable[Lease]) -> set[str]:
    """Write leases and drop expired ones; return the people whose presence changed, to be introduced.

    :raises redis.RedisError: the store is away; the next call makes up for it.
    """
    leases = list(leases)
    if leases:
        store().keep(leases)
    return set(store().settle({lease.user_id for lease in leases} | store().expired()))


def meet(introduced: Collection[str], greeted: Collection[str]) -> dict[str, list[str]]:
    """Send the presence of the introduced to their peers; return for each greeted their own presence and their peers'.

    The presence is returned as frames. Nothing is sent about people without known presence.

    :raises redis.RedisError: the store is away.
    """
    peers = _peers({*introduced, *greeted})
    shown = store().shown({*introduced, *greeted, *(peer for user_id in greeted for peer in peers[user_id])})
    if introduced:
        _announce({user_id: shown[user_id] for user_id in introduced if user_id in shown}, peers)
    # The introduced get their own presence with their peers.
    known = {user_id: shown[user_id] for user_id in greeted if user_id in shown and user_id not in introduced}
    frames, own = _frames(shown), _own_frames(known)
    return {
        user_id: [
            *([own[user_id]] if user_id in own else []),
            *(frames[peer] for peer in peers[user_id] if peer in frames),
        ]
        for user_id in greeted
    }


def is_invisible(user_id: str) -> bool:
    """Return whether a person chose to be invisible; also while the store is away, so that nothing shows them."""
    try:
        return bool(store().invisible([user_id]))
    except redis.RedisError:
        return True


def blocked_members(user_id: str, conversation_id: str) -> list[str]:
    """Return the members of a conversation who form a blocked pair with a person; they get nothing of each other."""
    (blocked,) = blocked_pairs([UUID(user_id)]).values()
    return [str(other_id) for other_id in members_among(UUID(conversation_id), blocked)]


def follow_block(one: str, other: str) -> None:
    """Notify two people, who are peers unless one blocks the other, of each other's presence: offline while blocked.

    If the store is away, or this is lost or followed by something older, they learn it when they connect again.
    """
    if not shares_conversation(UUID(one), UUID(other), most_participants=LISTED_PARTICIPANTS):
        return
    try:
        shown = {} if is_blocked_pair(UUID(one), UUID(other)) else store().shown([one, other])
    except redis.RedisError:
        return
    announcements = []
    for user_id, viewer in ((one, other), (other, one)):
        known = shown.get(user_id)
        frame = presence_frame(user_id, known) if known else Presence(user_id=user_id, status="offline")
        announcements.append(EphemeralEvent(encode(frame).decode(), user_ids=[viewer], droppable=False))
    announce_now_without_commit(announcements)


def announce_presence(changed: dict[str, Shown]) -> None:
    """Announce what is shown of people to themselves and to those who share a conversation of listed size."""
    if changed:
        _announce(changed, _peers(changed))


def _peers(user_ids: Collection[str]) -> dict[str, list[str]]:
    """Return for each of these people the peers who see their presence."""
    found = peers_of([UUID(user_id) for user_id in user_ids], most_participants=LISTED_PARTICIPANTS)
    names = {peer: str(peer) for peer in set().union(*found.values())}
    return {user_id: [names[peer] for peer in found[UUID(user_id)]] for user_id in user_ids}


def _frames(shown: dict[str, Shown]) -> dict[str, str]:
    return {user_id: encode(presence_frame(user_id, each)).decode() for user_id, each in shown.items()}


def _own_frames(shown: dict[str, Shown]) -> dict[str, str]:
    """Return the frames that people get of themselves: who is invisible is offline for others only."""
    invisible = store().invisible([user_id for user_id, each in shown.items() if each.status == "offline"])
    hidden = {user_id: encode(Presence(user_id=user_id, status="invisible")).decode() for user_id in invisible}
    return _frames(shown) | hidden


def _announce(shown: dict[str, Shown], peers: dict[str, list[str]]) -> None:
    """Announce what is shown of people to themselves and to their peers."""
    own, frames = _own_frames(shown), _frames(shown)
    announcements = []
    for user_id, frame in frames.items():
        if own[user_id] == frame:
            announcements.append(EphemeralEvent(frame, user_ids=[user_id, *peers[user_id]]))
        else:
            announcements.append(EphemeralEvent(frame, user_ids=peers[user_id]))
            announcements.append(EphemeralEvent(own[user_id], user_ids=[user_id]))
    announce_now_without_commit(announcements)


def presence_frame(user_id: str, shown: Shown) -> Presence:
    """Return what is shown of a person as a frame."""
    return Presence(user_id=user_id, status=shown.status, activity=shown.activity, last_seen=shown.seen_at)


# --- Records of connections -----------------------------------------------------------------


def record_connections(connections: list[Connection]) -> None:
    """Write connections as they are now, whether they were written before or not: some statements for thousands."""
    Connection.objects.bulk_create(
        connections,
        batch_size=ROWS_PER_STATEMENT,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["process_id", "closed_at", "close_code", "written_until"],
    )


def renew_process(process: ServerProcess) -> None:
    """Record that a process has seen everything committed up to its `seen_at`."""
    ServerProcess.objects.bulk_create([process], update_conflicts=True, unique_fields=["id"], update_fields=["seen_at"])


def purge_connections(*, before: datetime.datetime) -> None:
    """Delete the records of connections that ended, or whose process was last heard of, before a moment."""
    living = ServerProcess.objects.filter(seen_at__gte=before).values("id")
    over = Q(closed_at__lt=before) | Q(closed_at=None) & ~Q(process_id__in=living)
    old = Connection.objects.filter(over, opened_at__lt=before).order_by("opened_at", "id")
    # In portions, so that no statement takes long.
    while ids := list(old.values_list("id", flat=True)[:PURGED_AT_ONCE]):
        Connection.objects.filter(id__in=ids).delete()
    ServerProcess.objects.filter(seen_at__lt=before).delete()
