"""A reference client: it keeps its state by a first snapshot and frames alone, by the rules of the protocol.

`Replica` loads everything once, then applies what its socket brings: rule 3 of the protocol, `sync`
after a reconnect, the tail-loss check in `ping`/`pong`. `fresh_snapshot` (`snapshots`) fetches
everything over REST. If the product is right, both are equal: replay equals fetch, and any loss heals.
"""

import asyncio
import zlib
from collections.abc import Callable
from copy import deepcopy
from typing import Any, Self

from tests.harness.conversation import Conversation
from tests.harness.device import Device
from tests.harness.proxy import Proxy
from tests.harness.rest import Refused
from tests.harness.snapshots import Body, differences, fresh_snapshot
from tests.harness.socket_side import Frame
from tests.waiting import DEADLINE

_ANSWERS = ("connected", "sync_complete", "pong", "error", "message_ack", "reconnect")


class Replica:
    """The state of one device's client.

    `loses` is asked for every frame that is not an answer; True drops it, as if it never came.
    """

    def __init__(self, device: Device, *, loses: Callable[[Frame], bool] = lambda _: False) -> None:
        self.device = device
        self.loses = loses
        self.conversations: dict[str, Conversation] = {}
        self.lost = 0
        self.gaps = 0  # how often rule 3 fetched what was missing
        self.tail_losses = 0  # how often the check in pong found one
        self._since: str | None = None
        self._epoch: str | None = None
        self._task: asyncio.Task[None] | None = None
        self._applied = asyncio.Event()
        self._settled: dict[str, asyncio.Future[Frame]] = {}

    async def __aenter__(self) -> Self:
        await self.begins(await self.device.connects())
        self._follow()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._unfollow()

    # --- What a test asks of it -------------------------------------------------------------

    async def begins(self, connected: Frame) -> None:
        """Load everything anew, given the frame with which a new socket began."""
        self._since, self._epoch = connected["server_time"], connected["epoch"]
        self.conversations.clear()
        for body in await self.device.lists_conversations():
            await self._load(body["id"])

    def cursors(self) -> Body:
        """Return the fields of a `sync` that brings what this misses."""
        fields: Body = {"cursors": {id: each.cursor for id, each in self.conversations.items()}}
        known = {"since": self._since, "epoch": self._epoch}
        return fields | {name: value for name, value in known.items() if value is not None}

    def kept(self) -> Any:
        """Return what a client writes to disk, to be given to `restores`."""
        return self.conversations, self._since, self._epoch

    def restores(self, kept: Any) -> None:
        """Replace the state by what `kept` returned."""
        self.conversations, self._since, self._epoch = deepcopy(kept)

    async def reconnects(self, *, via: Proxy | None = None, server: Any = None) -> None:
        """Connect again, as after any cut, and catch up."""
        await self._unfollow()
        await self.device.connects(via=via, server=server)
        self._follow()
        await self.catches_up()

    async def catches_up(self) -> Frame:
        """Send `sync` and wait until everything that it brought is applied."""
        return await self._asks("sync", **self.cursors())

    async def checks_tail(self) -> bool:
        """Send `ping`, compare the heads in `pong` with the own ones, catch up if they differ.

        Return whether they differed.
        """
        pong = await self._asks("ping")
        own = {id: each.cursor for id, each in self.conversations.items()}
        if pong["heads"] == {"count": len(own), "checksum": checksum(own)}:
            return False
        self.tail_losses += 1
        await self.catches_up()
        return True

    async def settles(self) -> None:
        """Wait until every frame that the server sent so far is applied, or dropped."""
        await self._asks("ping")

    async def agrees(self, *, within: float = DEADLINE) -> None:
        """Wait until this is exactly what a fresh fetch brings, asking again whenever a frame came.

        Nothing is sent on the socket: what is missing has to come by itself.

        :raises AssertionError: with every difference.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while True:
            self._applied.clear()
            fresh = await fresh_snapshot(self.device)
            wrong = differences(self.state(), fresh)
            if not wrong:
                return
            assert self._task is not None
            if self._task.done():
                self._task.result()
            try:
                await asyncio.wait_for(self._applied.wait(), until - loop.time())
            except TimeoutError:
                raise AssertionError(f"{self.device}: replica != fetch\n" + "\n".join(wrong[:40])) from None

    async def reads(self, conversation_id: str, sequence: int) -> None:
        """Send a read receipt up to this sequence, and apply it here at once."""
        await self.device.says("read_receipt", conversation_id=conversation_id, sequence=sequence)
        self.notes_own_read(conversation_id, sequence)

    def notes_own_read(self, conversation_id: str, sequence: int) -> None:
        """Move this person's own read position: the server notifies their other devices only."""
        conversation = self.conversations[conversation_id]
        conversation.mark(self.device.id, "last_delivered_sequence", sequence)
        conversation.mark(self.device.id, "last_read_sequence", sequence)

    def state(self) -> dict[str, Body]:
        """Return everything known, in the form of `fresh_snapshot`."""
        return {id: each.shown() for id, each in sorted(self.conversations.items())}

    async def _asks(self, type: str, **fields: Any) -> Frame:
        assert self._task is not None, "not following"
        loop = asyncio.get_running_loop()
        number = f"replica-{type}-{loop.time()}"
        answered: asyncio.Future[Frame] = loop.create_future()
        self._settled[number] = answered
        await self.device.says(type, id=number, **fields)
        either: set[asyncio.Future[Any]] = {answered, self._task}
        done, _ = await asyncio.wait(either, timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
        if answered in done:
            return answered.result()
        if self._task in done:
            self._task.result()  # raises what went wrong
        raise ConnectionError(f"{self.device}: no answer to {type}")

    # --- Following the frames -----------------------------------------------------------------

    def _follow(self) -> None:
        self._task = asyncio.create_task(self._apply_frames())

    async def _unfollow(self) -> None:
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.wait([self._task])
        task, self._task = self._task, None
        if not task.cancelled():
            task.result()

    async def _apply_frames(self) -> None:
        async for frame in self.device.frames():
            if frame["type"] not in _ANSWERS and self.loses(frame):
                self.lost += 1
                continue
            await self.applies(frame)
            self._applied.set()
            waiting = self._settled.pop(frame.get("id") or "", None)
            if waiting is not None and not waiting.done():
                waiting.set_result(frame)

    async def applies(self, frame: Frame) -> None:
        """Apply one frame; fetch what is missing before it."""
        if "sequence" in frame and frame["type"] != "message_ack":
            await self._apply_event(frame)
        elif frame["type"] in ("message_delivered", "message_read", "conversation_read"):
            self._apply_receipt(frame)
        elif frame["type"] == "sync_complete":
            await self._complete_sync(frame)

    async def _apply_event(self, frame: Frame) -> None:
        id, sequence = frame["conversation_id"], frame["sequence"]
        conversation = self.conversations.get(id)
        if conversation is None:
            await self._load(id)
        elif sequence == conversation.cursor + 1:
            conversation.apply(frame)
            if _removes(frame, self.device.id):
                del self.conversations[id]
        elif sequence > conversation.cursor:
            self.gaps += 1
            await self._fill(id)

    def _apply_receipt(self, frame: Frame) -> None:
        conversation = self.conversations.get(frame["conversation_id"])
        if conversation is None:
            return
        up_to = frame["up_to_sequence"]
        who = frame.get("reader_id") or frame.get("user_id") or self.device.id
        conversation.mark(who, "last_delivered_sequence", up_to)
        if frame["type"] != "message_delivered":
            conversation.mark(who, "last_read_sequence", up_to)

    async def _complete_sync(self, frame: Frame) -> None:
        heads: dict[str, int] = frame["heads"]
        if self._epoch not in (None, frame["epoch"]):
            self.conversations.clear()  # their cursors count events of another log
        for id in set(self.conversations) - set(heads):
            del self.conversations[id]
        for id, head in heads.items():
            mine = self.conversations.get(id)
            if mine is None or id in frame["resync"] or mine.cursor > head:
                await self._load(id)
            elif mine.cursor < head:
                await self._fill(id)
        self._since, self._epoch = frame["server_time"], frame["epoch"]

    async def _fill(self, id: str) -> None:
        """Fetch `/events?after=mine` until nothing is missing."""
        while True:
            conversation = self.conversations[id]
            try:
                page = await self.device.gets(f"/conversations/{id}/events", after=conversation.cursor)
            except Refused as refusal:
                if refusal.code == "not_found":
                    del self.conversations[id]
                elif refusal.code == "resync_required":
                    await self._load(id)
                else:
                    raise
                return
            for event in page["events"]:
                conversation.apply(event)
                if _removes(event, self.device.id):
                    del self.conversations[id]
                    return
            if not page["has_more"]:
                return

    async def _load(self, id: str) -> None:
        """Drop what is known of a conversation and load it anew."""
        self.conversations.pop(id, None)
        try:
            body = await self.device.gets(f"/conversations/{id}")
            messages = await self.device.history(id)
        except Refused as refusal:
            if refusal.code != "not_found":
                raise
            return
        # The body was read first: newer messages of the history come again as events.
        self.conversations[id] = Conversation(self.device.id, body, messages)


def checksum(heads: dict[str, int]) -> int:
    """Return the tail-loss check's sum over (conversation id, last sequence)."""
    return sum(zlib.crc32(f"{id}:{head}".encode()) for id, head in heads.items()) % 2**32


def _removes(frame: Frame, user_id: str) -> bool:
    return bool(frame["type"] == "participant_removed" and frame["user_id"] == user_id)
