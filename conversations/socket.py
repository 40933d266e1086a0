"""Conversations on the socket: catch-up."""

import asyncio
import datetime
from collections.abc import Mapping
from itertools import chain
from uuid import UUID
from weakref import WeakKeyDictionary

from conversations import catch_up, frames
from realtime.database.threads import in_database_thread
from realtime.fanout.sockets import Socket
from realtime.registry import registry
from realtime.wire.bodies import encode
from realtime.wire.wire_frame import WireFrame

# A page stays in memory until the client has taken it, and a client may read nothing. So the number of events in a
# page is chosen by the size of the page before.
FIRST_PAGE, LARGEST_PAGE, PAGE_BYTES = 50, 500, 128 * 1024
# When many clients come back at once, only so many catch-ups read at a time, so that others can chat meanwhile.
CATCH_UPS_AT_ONCE = 2
_turns: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


@registry.command(frames.Sync, answers=[frames.SyncComplete])
async def sync(socket: Socket, command: frames.Sync) -> None:
    """Send what the client missed, in order, then `sync_complete`. Live events are buffered meanwhile."""
    socket.start_buffering()
    # Conversation -> sequence up to which this sync covered it. Buffered events beyond it are sent afterwards.
    covered: dict[str, int] = {}
    page = FIRST_PAGE
    try:
        first = found = await _missed(socket, command.cursors, command.since, command.epoch, page)
        resync = first.resync
        cursors: Mapping[UUID, int] = command.cursors
        while True:
            size = await _send(socket, found)
            done = map(str, cursors.keys() - found.remaining.keys())
            covered |= {id: found.heads[id] for id in done if id in found.heads}
            cursors = found.remaining
            if not cursors or socket.closing:
                break
            page = max(1, min(LARGEST_PAGE, page * PAGE_BYTES // max(1, size)))
            found = await _missed(socket, cursors, None, UUID(first.epoch), page)
            resync += found.resync
        await socket.outbox.room()
        # The sequences that this sync covered: events written between its pages are sent after it.
        heads = {id: covered.get(id, head) for id, head in found.heads.items()}
        socket.send(
            frames.SyncComplete(
                heads=heads, resync=resync, epoch=first.epoch, server_time=first.server_time, id=command.id
            )
        )
    finally:
        socket.release(covered)


async def _missed(
    socket: Socket, cursors: Mapping[UUID, int], since: datetime.datetime | None, in_epoch: UUID | None, most: int
) -> catch_up.Missed:
    """Read a page, after the client has taken what was sent before."""
    await socket.outbox.room(for_more=True)
    turns = _turns.setdefault(asyncio.get_running_loop(), asyncio.Semaphore(CATCH_UPS_AT_ONCE))
    async with turns:
        return await in_database_thread(catch_up.missed, UUID(socket.user_id), cursors, since, in_epoch, most=most)


async def _send(socket: Socket, found: catch_up.Missed) -> int:
    """Send a page, emptying it to free its memory; return the bytes sent."""
    missed = [*chain(*found.events.values()), *found.receipts]
    found.events.clear()
    found.receipts.clear()
    size = 0
    for frame in missed:
        await socket.outbox.room()
        wire = WireFrame(encode(frame))
        socket.outbox.deliver(wire)
        size += wire.size
    return size
