"""What changes presence, and who is told. Synchronous; called from a thread, in batches."""

from collections.abc import Collection, Iterable
from uuid import UUID

import redis

from conversations.selectors import LISTED_PARTICIPANTS, peers_of
from presence.frames import Presence
from presence.store import Lease, Shown, store
from realtime.bodies import encode
from realtime.door import announce_now_without_commit
from realtime.errors import TryAgain
from realtime.items import Notice


def choose_status(*, user_id: str, status: str, activity: str | None) -> None:
    """Remember how a person wants to be seen, and tell their peers.

    :raises TryAgain: the store is away.
    """
    try:
        store().choose(user_id, status, activity)
        tell_peers(store().settle([user_id]))
    except redis.RedisError as error:
        raise TryAgain from error


def renew(leases: Iterable[Lease]) -> set[str]:
    """Write leases and see which ran out; return who looks different now, for `introduce`.

    :raises redis.RedisError: the store is away; the next call makes up for it.
    """
    leases = list(leases)
    if leases:
        store().keep(leases)
    return set(store().settle({lease.user_id for lease in leases} | store().expired()))


def introduce(user_ids: Collection[str]) -> None:
    """Tell the peers of these people what is shown of them: it changed, or some peers are new.

    :raises redis.RedisError: the store is away.
    """
    tell_peers(store().shown(user_ids))


def tell_peers(changed: dict[str, Shown]) -> None:
    """Announce what is shown of people to themselves and to those who share a conversation of listed size."""
    if not changed:
        return
    peers = peers_of([UUID(user_id) for user_id in changed], most_participants=LISTED_PARTICIPANTS)
    announce_now_without_commit(
        [
            Notice(
                encode(presence_frame(user_id, shown)).decode(),
                user_ids=[user_id, *map(str, peers[UUID(user_id)])],
            )
            for user_id, shown in changed.items()
        ]
    )


def presences_of_peers(user_ids: Collection[str]) -> dict[str, list[str]]:
    """Return for each user the presence frames of their peers, as far as anything is known of those."""
    peers = peers_of([UUID(user_id) for user_id in user_ids], most_participants=LISTED_PARTICIPANTS)
    names = {peer: str(peer) for peer in set().union(*peers.values())}
    shown = store().shown(names.values())
    frames = {peer: encode(presence_frame(name, shown[name])).decode() for peer, name in names.items() if name in shown}
    return {user_id: [frames[peer] for peer in peers[UUID(user_id)] if peer in frames] for user_id in user_ids}


def presence_frame(user_id: str, shown: Shown) -> Presence:
    """Return what is shown of a person as a frame."""
    return Presence(user_id=user_id, status=shown.status, activity=shown.activity, last_seen=shown.seen_at)
