"""A client that follows docs/protocol.md and records everything that it sends and receives.

It takes what comes over its `line`, gives events to its `store` and answers to its `outbox`, compares heads in `pong`,
and catches up with `sync`. Not here: when and what it writes (`crowd`, `actions`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

from tests.campaign.frames import REPEATABLE, Frame
from tests.campaign.history import Closed, Connected, Heard, History, SyncAsked, Synced, SyncRefused
from tests.campaign.line import Line
from tests.campaign.outbox import ANSWER_TIMEOUT, Outbox, Outgoing
from tests.campaign.rest import NO_ANSWER, Rest
from tests.campaign.store import Store
from tests.campaign.wire import Wire
from tests.harness.proxy import Proxy

GONE_AT_ONCE = 0.5  # seconds; a process that is down refuses a connection sooner
SIGNED_OUT = (4401, 4403)


class Device:
    """One device of one person, at home in one network (`ways` leads to each server process)."""

    def __init__(
        self, name: str, user_id: str, token: str, ways: list[Proxy], rest: Rest, dice: random.Random,
        on_answer: Callable[[Device, Outgoing], None],
    ) -> None:  # fmt: skip
        self.user_id, self.token = user_id, token
        self.history = History(name, user_id)
        self.line = Line(self, ways, dice)
        self.outbox = Outbox(self.history, self.line, self.ask, dice, partial(on_answer, self))
        self.store = Store(self.history, self.ask, dice, self._ask_unless_asked)
        self.holds = self.store.holds
        self.caught_up = asyncio.Event()
        self.caught_up_at = 0.0
        self.connected_at = 0.0
        self.signed_out = False
        self.replaced = 0  # times that another connection of this device took over
        self.unexpected: list[str] = []  # frames and closes that no fault explains
        self._rest, self._dice = rest, dice
        self._since: str | None = None
        self._epoch = ""
        self._syncing_since: float | None = None

    @property
    def name(self) -> str:
        """What the device is called in the evidence."""
        return self.history.device

    def __repr__(self) -> str:
        now = monotonic()
        where = (
            f"connection {self.line.number} to process {self.line.server}, {'open' if self.line.is_open else 'ended'}"
        )
        heard = f"heard {now - self.line.heard_at:.1f} s ago, last connected {now - self.connected_at:.1f} s ago"
        asked = "no sync" if self._syncing_since is None else f"sync asked {now - self._syncing_since:.1f} s ago"
        return f"{self.name}: {where}, {self.line.failures} failures, {heard}, {asked}"

    # --- Being there ------------------------------------------------------------------------

    async def leave(self) -> None:
        """Disconnect for good."""
        going = [task for task in (self.line.life, *self.store.tasks) if task is not None]
        for task in going:
            task.cancel()
        self.line.close()
        if going:
            await asyncio.wait(going)

    def drop_connection(self) -> None:
        """Lose the connection without a goodbye, as by a change of networks; the device comes back by itself."""
        if self.line.is_open:
            self.caught_up.clear()
            self.line.close()

    def was_closed(self, wire: Wire) -> None:
        """Take note of the end of a connection."""
        self.history.entries.append(Closed(monotonic(), wire.number, wire.close_code))
        if wire is not self.line.wire:
            return
        self._syncing_since = None
        self.caught_up.clear()
        if wire.close_code in SIGNED_OUT:
            self.signed_out = True
        elif wire.close_code == 4409:
            # A connection attempt that the device gave up may arrive late and replace the newer connection. A person
            # would press "use here"; the device reconnects at once.
            self.replaced += 1
            self.line.retry_after = 0.0
        elif wire.close_code in (4400, 4429, 1003, 1007, 1009):
            self.unexpected.append(f"{self.name} was closed with {wire.close_code}")
        self.line.ended()

    def look_at_the_clock(self, now: float) -> None:
        """Do what is due: ping, give up a dead connection, repeat what was not answered. Called every LOOK."""
        if not self.line.is_open:
            return
        if self.line.is_silent(now):
            self.line.close()
            return
        if self._syncing_since is not None and now - self._syncing_since > ANSWER_TIMEOUT:
            self._ask_for_missed()
        if self.caught_up.is_set():
            self.line.ping_when_due(now)
            self.outbox.repeat_unanswered(now)
            self.outbox.send_unsent(now)

    # --- Writing ----------------------------------------------------------------------------

    def write(self, outgoing: Outgoing) -> None:
        """Put a message into the outbox, and send it if the way is free."""
        self.outbox.put(outgoing)
        if self.caught_up.is_set():
            self.outbox.send(outgoing, monotonic())

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Make a REST request through this device's network, at the next process when one is gone at once.

        All requests of the campaign may be repeated: those that send carry a `client_message_id`.
        """
        status, answer = NO_ANSWER, None
        for way in self._dice.sample(self.line.ways, len(self.line.ways)):
            asked_at = monotonic()
            status, answer = await self._rest(way.port, self.token, method, path, body)
            if status != NO_ANSWER or monotonic() - asked_at > GONE_AT_ONCE:
                break
        return status, answer

    def sends_receipt(self, conversation_id: str, kind: str) -> None:
        """Send a receipt ("delivery_receipt" or "read_receipt") for everything that is held."""
        held = self.holds.get(conversation_id)
        if held is not None and self.caught_up.is_set():
            self.line.say({"type": kind, "conversation_id": conversation_id, "sequence": held.cursor})

    # --- Hearing ----------------------------------------------------------------------------

    def hears(self, wire: Wire, frame: Frame) -> None:
        """Take a frame."""
        now = monotonic()
        if wire is not self.line.wire:
            # A connection that was given up may still bring something; it counts for the checker only.
            self.history.entries.append(Heard(now, wire.number, frame))
            return
        self.line.heard_at = now
        kind = frame.type
        if kind == "message_ack":
            self.outbox.acked(
                frame.client_message_id or "", frame.conversation_id, frame.message_id or "", frame.sequence,
                frame.duplicate,
            )  # fmt: skip
        elif frame.sequence:
            self.history.entries.append(Heard(now, wire.number, frame))
            self.store.take_event(frame)
        elif kind == "pong":
            if not self.is_loading and frame.heads != self.store.digest():
                self._ask_for_missed()
        elif kind == "error":
            self._take_error(frame)
        elif kind == "connected":
            self.history.entries.append(Connected(now, wire.number, self.line.server))
            self.connected_at = now
            self.line.heartbeat = frame.heartbeat_interval or self.line.heartbeat
            self._since = self._since or frame.server_time
            self._take_epoch(frame)
            self._ask_for_missed()
        elif kind == "sync_complete":
            self._complete_sync(wire, frame, now)
        elif kind == "reconnect":
            self.line.retry_after = frame.retry_after
            self.caught_up.clear()  # what is written from now on waits for the next connection
        else:
            self.history.entries.append(Heard(now, wire.number, frame))
            if kind in ("message_delivered", "message_read"):
                self.store.take_receipt(frame)

    def _take_error(self, frame: Frame) -> None:
        if frame.client_message_id is not None:
            self.outbox.refused(frame.client_message_id, frame.code, frame.retry_after)
        elif frame.id == "sync" and frame.code in REPEATABLE:
            self.history.entries.append(SyncRefused(monotonic(), self.line.number))
            self._syncing_since = monotonic() - ANSWER_TIMEOUT + 0.2  # so that the clock asks again soon
        elif frame.code not in (*REPEATABLE, "not_found"):  # a receipt may be about a conversation just left
            self.unexpected.append(f"{self.name} was answered {frame}")

    # --- Catching up ------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Send `sync` although no gap was noticed."""
        if self.line.is_open and self.caught_up.is_set():
            self._ask_unless_asked()

    def _ask_unless_asked(self) -> None:
        if self._syncing_since is None:
            self._ask_for_missed()

    def _ask_for_missed(self) -> None:
        cursors = self.store.cursors()
        self._syncing_since = monotonic()
        self.history.entries.append(SyncAsked(self._syncing_since, self.line.number, cursors))
        self.line.say({"type": "sync", "id": "sync", "cursors": cursors, "epoch": self._epoch, "since": self._since})

    def _take_epoch(self, frame: Frame) -> None:
        if frame.epoch != self._epoch != "":
            self.unexpected.append(f"{self.name} got another epoch, but no database was restored")
        self._epoch = frame.epoch

    def _complete_sync(self, wire: Wire, frame: Frame, now: float) -> None:
        heads, resync = frame.heads or {}, frame.resync or []
        self.history.entries.append(Synced(now, wire.number, heads, resync, self.store.cursors()))
        self._since, self._syncing_since = frame.server_time, None
        self._take_epoch(frame)
        self.store.take_heads(heads, resync)
        if self.line.retry_after is not None:
            return  # the server is going away
        self.caught_up.set()
        self.caught_up_at = now
        self.outbox.send_unsent(now)

    @property
    def is_loading(self) -> bool:
        """Whether a conversation is being loaded, or a sync is under way."""
        return self.store.is_loading or self._syncing_since is not None
