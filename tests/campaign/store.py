"""What a device holds of its conversations, kept up to date by events, receipts and loads (docs/protocol.md).

Not here: connections, `sync`, and what the device writes (`device`).
"""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Awaitable, Callable, Iterable
from time import monotonic
from typing import Any

from tests.campaign.frames import Frame
from tests.campaign.history import Held, History, Loaded

PAGE, MOST_PAGES = 200, 5
RETRY_WITHIN = 0.5  # seconds, at random, until a load that failed is tried again

Ask = Callable[[str, str], Awaitable[tuple[int, Any]]]  # (method, path) -> status and body


class Store:
    """The conversations of one device; `holds` is also what the checker looks at in the end."""

    def __init__(self, history: History, ask: Ask, dice: random.Random, on_gap: Callable[[], None]) -> None:
        self.history, self.holds = history, history.holds
        self._ask, self._dice, self._on_gap = ask, dice, on_gap
        self._loading: dict[str, list[Frame]] = {}  # conversation -> events that came meanwhile
        self.tasks: set[asyncio.Task[None]] = set()

    @property
    def is_loading(self) -> bool:
        """Whether a conversation is being loaded."""
        return bool(self._loading)

    def cursors(self) -> dict[str, int]:
        """Return the newest event of each conversation that was applied."""
        return {conversation_id: held.cursor for conversation_id, held in self.holds.items()}

    def digest(self) -> dict[str, int]:
        """Return what `pong` should say about the heads."""
        sums = (zlib.crc32(f"{id}:{cursor}".encode()) for id, cursor in self.cursors().items())
        return {"count": len(self.holds), "checksum": sum(sums) % 2**32}

    # --- Frames -----------------------------------------------------------------------------

    def take_event(self, frame: Frame) -> None:
        """Apply the event that is next, ignore what is known, ask for what is missing."""
        held = self.holds.get(frame.conversation_id)
        if frame.conversation_id in self._loading:
            self._loading[frame.conversation_id].append(frame)
        elif held is None:
            if frame.type != "participant_removed":
                self.load(frame.conversation_id)
        elif frame.sequence == held.cursor + 1:
            self._apply(held, frame)
        elif frame.sequence > held.cursor:
            self._on_gap()

    def _apply(self, held: Held, frame: Frame) -> None:
        held.cursor = frame.sequence
        message, participant = frame.message, frame.participant
        if message is not None:
            held.messages[message.sequence] = (message.id, message.content)
        elif participant is not None and frame.type == "participant_added":
            held.members.add(participant.user_id)
            held.positions[participant.user_id] = (participant.last_delivered_sequence, participant.last_read_sequence)
        elif frame.type == "participant_removed":
            held.members.discard(frame.user_id)
            if frame.user_id == self.history.user_id:
                del self.holds[frame.conversation_id]

    def take_receipt(self, frame: Frame) -> None:
        """Raise a participant's read and delivery positions."""
        held = self.holds.get(frame.conversation_id)
        if held is not None:
            who = frame.reader_id or frame.user_id
            delivered, read = held.positions.get(who, (0, 0))
            up_to = frame.up_to_sequence
            held.positions[who] = (max(delivered, up_to), max(read, up_to) if frame.type == "message_read" else read)

    def take_heads(self, heads: Iterable[str], resync: Iterable[str]) -> None:
        """Drop conversations that are not in `heads`; load those that are new or in `resync`."""
        all_mine, anew = set(heads), set(resync)
        for conversation_id in [each for each in self.holds if each not in all_mine]:
            del self.holds[conversation_id]
        for conversation_id in sorted(all_mine):
            if conversation_id not in self.holds or conversation_id in anew:
                self.load(conversation_id)

    # --- Loading ----------------------------------------------------------------------------

    def load(self, conversation_id: str) -> None:
        """Load a conversation again; events that arrive meanwhile are buffered."""
        if conversation_id in self._loading:
            return
        self.holds.pop(conversation_id, None)
        self._loading[conversation_id] = []
        task = asyncio.create_task(self._fetch(conversation_id))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _fetch(self, conversation_id: str) -> None:
        began = monotonic()
        path = f"/conversations/{conversation_id}"
        while True:
            status, body = await self._ask("GET", path)
            if status in (401, 404):  # signed out, or not a member any more
                del self._loading[conversation_id]
                return
            if status == 200:
                messages = await self._history_of(path)
                if messages is not None:
                    break
            await asyncio.sleep(self._dice.uniform(0.1, RETRY_WITHIN))
        held = Held(
            cursor=body["last_sequence"],
            floor=0 if len(messages) < PAGE * MOST_PAGES else messages[-1]["sequence"],
            messages={each["sequence"]: (each["id"], each["content"]) for each in messages},
            members={each["user_id"] for each in body["participants"]},
            positions={
                each["user_id"]: (each["last_delivered_sequence"], each["last_read_sequence"])
                for each in body["participants"]
            },
        )
        texts = {each["id"]: each["content"] for each in messages}
        self.history.entries.append(Loaded(began, monotonic(), conversation_id, held.cursor, texts))
        self.holds[conversation_id] = held
        for frame in self._loading.pop(conversation_id):
            if conversation_id in self.holds:
                self.take_event(frame)

    async def _history_of(self, path: str) -> list[dict[str, Any]] | None:
        """Return the newest messages, newest first; None when there was no good answer."""
        found: list[dict[str, Any]] = []
        for _ in range(MOST_PAGES):
            before = f"&before={found[-1]['sequence']}" if found else ""
            status, page = await self._ask("GET", f"{path}/messages?limit={PAGE}{before}")
            if status != 200:
                return [] if status == 404 else None
            found += page["results"]
            if not page["has_more"]:
                break
        return found
