"""A client as docs/protocol.md wants it, which writes down all that it says and hears.

It reconnects with full jitter, catches up with `sync`, applies events by their numbers, repeats what was not
answered with the same `client_message_id`, compares heads in `pong`, and keeps one message per conversation
under way. Not here: when and what it writes (`crowd`, `doings`).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any

from tests.campaign.evidence import (
    REPEATABLE,
    Acked,
    Closed,
    Connected,
    Frame,
    Heard,
    History,
    Refused,
    Sent,
    SyncAsked,
    Synced,
    SyncRefused,
)
from tests.campaign.frames import encode
from tests.campaign.rest import NO_ANSWER, Rest
from tests.campaign.store import Store
from tests.campaign.wire import Wire
from tests.harness.proxy import Proxy

CONNECT_PATIENCE = 10.0
ANSWER_PATIENCE = 10.0  # after which a send or a sync that was not answered is repeated
HELD_FOR_A_WHILE = 10.0
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0
GONE_AT_ONCE = 0.5  # within which a process that is not there says so
LOOK = 0.25  # seconds between two looks at the clock
SIGNED_OUT = (4401, 4403)


@dataclass(slots=True)
class Outgoing:
    """A message on its way: in the outbox until it is answered for good."""

    client_message_id: str
    conversation_id: str
    text: str
    written_at: float
    sent_at: float = 0.0
    socket: int = -1  # on which it was sent last
    sends: int = 0
    not_before: float = 0.0


class Device:
    """One device of one person, at home in one network (`ways` leads to each server process)."""

    def __init__(
        self, name: str, user_id: str, token: str, ways: list[Proxy], rest: Rest, dice: random.Random,
        on_answer: Callable[[Device, Outgoing], None],
    ) -> None:  # fmt: skip
        self.user_id, self.token, self.ways = user_id, token, ways
        self.history = History(name, user_id)
        self.store = Store(self.history, self.ask, dice, self._ask_unless_asked)
        self.holds = self.store.holds
        self.outbox: dict[str, Outgoing] = {}
        self.wire: Wire | None = None
        self.server = -1  # the process it is, or was, connected to
        self.next_server: int | None = None  # where to connect to next; None leaves it to the dice
        self.caught_up = asyncio.Event()
        self.caught_up_at = 0.0
        self.connected_at = 0.0
        self.signed_out = False
        self.replaced = 0  # times that another connection of this device took over
        self.unexpected: list[str] = []  # frames and closes that no fault explains
        self._rest, self._dice, self._on_answer = rest, dice, on_answer
        self._sockets = 0
        self._since: str | None = None
        self._epoch = ""
        self._retry_after: float | None = None
        self._ended = asyncio.Event()
        self._network_is_back = asyncio.Event()
        self._attempt: asyncio.Timeout | None = None  # to connect
        self._life: asyncio.Task[None] | None = None
        self._syncing_since: float | None = None
        self._heard_at = self._pinged_at = 0.0
        self.heartbeat = 30.0

    @property
    def name(self) -> str:
        """What the device is called in the evidence."""
        return self.history.device

    # --- Connecting -------------------------------------------------------------------------

    def begin(self) -> None:
        """Connect, and stay connected until `leave`."""
        self._life = asyncio.create_task(self._stay_connected())

    async def leave(self) -> None:
        """Disconnect for good."""
        going = [task for task in (self._life, *self.store.tasks) if task is not None]
        for task in going:
            task.cancel()
        if self.wire is not None:
            self.wire.close()
        if going:
            await asyncio.wait(going)

    async def _stay_connected(self) -> None:
        failures = 0
        while not self.signed_out:
            begun = monotonic()
            self._network_is_back.clear()
            try:
                await self._connect()
                self._network_is_back.clear()
                await self._ended.wait()
            except (OSError, TimeoutError):
                pass
            if self._retry_after is not None:
                wait = self._retry_after + self._dice.uniform(0, FIRST_WAIT)
                self._retry_after, failures = None, 0
            else:
                failures = 0 if self.caught_up_at > begun and monotonic() - begun > HELD_FOR_A_WHILE else failures
                wait = self._dice.uniform(0, min(LONGEST_WAIT, FIRST_WAIT * 2**failures))
                failures += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._network_is_back.wait(), wait)

    async def _connect(self) -> None:
        """Try the processes one after the other, as a client tries the addresses of a name.

        :raises OSError: none of them takes us.
        :raises TimeoutError: one of them does not answer.
        """
        servers = self._dice.sample(range(len(self.ways)), len(self.ways))
        if self.next_server is not None:
            servers.insert(0, self.next_server)
            self.next_server = None
        while True:
            self.server = servers.pop(0)
            try:
                await self._connect_to(self.ways[self.server].port)
            except TimeoutError:
                raise
            except OSError:
                if not servers:
                    raise
            else:
                return

    async def _connect_to(self, port: int) -> None:
        number = self._sockets = self._sockets + 1
        self._ended.clear()
        self.wire = wire = Wire(self, number, port)
        self._heard_at = self._pinged_at = monotonic()
        try:
            async with asyncio.timeout(CONNECT_PATIENCE) as self._attempt:
                await asyncio.get_running_loop().create_connection(lambda: wire, "127.0.0.1", port)
                await wire.opened
        except BaseException:
            wire.close()
            raise
        finally:
            self._attempt = None

    def network_is_back(self) -> None:
        """Try to connect at once instead of waiting on, as when the system says that the network is back."""
        self._network_is_back.set()
        if self._attempt is not None:
            self._attempt.reschedule(0.0)  # what it said was lost on the way

    def drop_connection(self) -> None:
        """Lose the connection without a goodbye, as by a change of networks; the device comes back by itself."""
        if self.wire is not None and self.wire.is_open:
            self.caught_up.clear()
            self.wire.close()

    def was_closed(self, wire: Wire) -> None:
        """Take note of the end of a connection."""
        self.history.entries.append(Closed(monotonic(), wire.number, wire.close_code))
        if wire is not self.wire:
            return
        self._syncing_since = None
        self.caught_up.clear()
        if wire.close_code in SIGNED_OUT:
            self.signed_out = True
        elif wire.close_code == 4409:
            # An attempt that was given up in a silent network may arrive late, and pass for the newer one. A person
            # would now press "use here", which is to connect again.
            self.replaced += 1
            self._retry_after = 0.0
        elif wire.close_code in (4400, 4429, 1003, 1007, 1009):
            self.unexpected.append(f"{self.name} was closed with {wire.close_code}")
        self._ended.set()

    def look_at_the_clock(self, now: float) -> None:
        """Do what is due: ping, give up a dead connection, repeat what was not answered. Called every LOOK."""
        wire = self.wire
        if wire is None or not wire.is_open:
            return
        if now - self._heard_at > 2 * self.heartbeat - 2 * LOOK:
            wire.close()
            return
        if self._syncing_since is not None and now - self._syncing_since > ANSWER_PATIENCE:
            self._ask_for_missed()
        if not self.caught_up.is_set():
            return
        if now - self._pinged_at > self.heartbeat:
            self._pinged_at = now
            self._say({"type": "ping"})
        for outgoing in self.outbox.values():
            unanswered = outgoing.socket == wire.number and now - outgoing.sent_at > ANSWER_PATIENCE
            if (unanswered or outgoing.socket != wire.number) and now >= outgoing.not_before:
                self._send(outgoing, now)

    # --- Writing ----------------------------------------------------------------------------

    def write(self, outgoing: Outgoing) -> None:
        """Put a message into the outbox, and send it if the way is free."""
        self.outbox[outgoing.client_message_id] = outgoing
        if self.caught_up.is_set():
            self._send(outgoing, monotonic())

    async def post(self, outgoing: Outgoing) -> None:
        """Send a message over REST; without a good answer it goes the usual way."""
        outgoing.not_before = monotonic() + ANSWER_PATIENCE
        outgoing.sends += 1
        self.outbox[outgoing.client_message_id] = outgoing
        self.history.entries.append(
            Sent(monotonic(), 0, outgoing.conversation_id, outgoing.client_message_id, outgoing.text)
        )
        status, body = await self.ask(
            "POST", "/messages",
            {"conversation_id": outgoing.conversation_id, "client_message_id": outgoing.client_message_id,
             "content": outgoing.text},
        )  # fmt: skip
        outgoing.not_before = 0.0
        if status in (200, 201):
            self._acked(
                outgoing.client_message_id, body["conversation_id"], body["id"], body["sequence"], status == 200
            )
        elif status:
            self._refused(outgoing.client_message_id, (body or {}).get("code", str(status)), None)

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Make a REST request through this device's network, at the next process when one is gone at once.

        All requests of the campaign may be repeated: those that send carry a `client_message_id`.
        """
        status, answer = NO_ANSWER, None
        for way in self._dice.sample(self.ways, len(self.ways)):
            asked_at = monotonic()
            status, answer = await self._rest(way.port, self.token, method, path, body)
            if status != NO_ANSWER or monotonic() - asked_at > GONE_AT_ONCE:
                break
        return status, answer

    def mark(self, conversation_id: str, kind: str) -> None:
        """Send a receipt ("delivery_receipt" or "read_receipt") for everything that is held."""
        held = self.holds.get(conversation_id)
        if held is not None and self.caught_up.is_set():
            self._say({"type": kind, "conversation_id": conversation_id, "sequence": held.cursor})

    def _send(self, outgoing: Outgoing, now: float) -> None:
        assert self.wire is not None
        outgoing.sent_at, outgoing.socket = now, self.wire.number
        outgoing.sends += 1
        self.history.entries.append(
            Sent(now, self.wire.number, outgoing.conversation_id, outgoing.client_message_id, outgoing.text)
        )
        self._say(
            {"type": "send_message", "conversation_id": outgoing.conversation_id,
             "client_message_id": outgoing.client_message_id, "content": outgoing.text}
        )  # fmt: skip

    def _say(self, command: dict[str, Any]) -> None:
        if self.wire is not None and self.wire.is_open:
            self.wire.send_text(encode(command))

    def _acked(self, client_id: str, conversation_id: str, message_id: str, sequence: int, duplicate: bool) -> None:
        self.history.entries.append(Acked(monotonic(), client_id, conversation_id, message_id, sequence, duplicate))
        outgoing = self.outbox.pop(client_id, None)
        if outgoing is not None:
            self._on_answer(self, outgoing)

    def _refused(self, client_id: str, code: str, retry_after: float | None) -> None:
        now = monotonic()
        self.history.entries.append(Refused(now, client_id, code))
        outgoing = self.outbox.get(client_id)
        if outgoing is None:
            return
        if code in REPEATABLE:
            outgoing.not_before = now + (retry_after or 0.0) + self._dice.uniform(0, FIRST_WAIT)
            outgoing.socket = -1
        else:
            del self.outbox[client_id]
            self._on_answer(self, outgoing)

    # --- Hearing ----------------------------------------------------------------------------

    def hears(self, wire: Wire, frame: Frame) -> None:
        """Take a frame."""
        now = monotonic()
        if wire is not self.wire:
            # A connection that was given up may still bring something; it counts for the checker only.
            self.history.entries.append(Heard(now, wire.number, frame))
            return
        self._heard_at = now
        kind = frame.type
        if kind == "message_ack":
            self._acked(
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
            self.history.entries.append(Connected(now, wire.number, self.server))
            self.connected_at = now
            self.heartbeat = frame.heartbeat_interval or self.heartbeat
            self._since = self._since or frame.server_time
            self._take_epoch(frame)
            self._ask_for_missed()
        elif kind == "sync_complete":
            self._complete_sync(wire, frame, now)
        elif kind == "reconnect":
            self._retry_after = frame.retry_after
            self.caught_up.clear()  # what is written from now on waits for the next connection
        else:
            self.history.entries.append(Heard(now, wire.number, frame))
            if kind in ("message_delivered", "message_read"):
                self.store.take_receipt(frame)

    def _take_error(self, frame: Frame) -> None:
        if frame.client_message_id is not None:
            self._refused(frame.client_message_id, frame.code, frame.retry_after)
        elif frame.id == "sync" and frame.code in REPEATABLE:
            self.history.entries.append(SyncRefused(monotonic(), self._sockets))
            self._syncing_since = monotonic() - ANSWER_PATIENCE + 0.2  # so that the clock asks again soon
        elif frame.code not in (*REPEATABLE, "not_found"):  # a receipt may be about a conversation just left
            self.unexpected.append(f"{self.name} was answered {frame}")

    # --- Catching up ------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Ask for what was missed, without having been told that anything was."""
        if self.wire is not None and self.wire.is_open and self.caught_up.is_set():
            self._ask_unless_asked()

    def _ask_unless_asked(self) -> None:
        if self._syncing_since is None:
            self._ask_for_missed()

    def _ask_for_missed(self) -> None:
        assert self.wire is not None
        cursors = self.store.cursors()
        self._syncing_since = monotonic()
        self.history.entries.append(SyncAsked(self._syncing_since, self.wire.number, cursors))
        self._say({"type": "sync", "id": "sync", "cursors": cursors, "epoch": self._epoch, "since": self._since})

    def _take_epoch(self, frame: Frame) -> None:
        if frame.epoch != self._epoch != "":
            self.unexpected.append(f"{self.name} was told of another epoch, though no database was put back")
        self._epoch = frame.epoch

    def _complete_sync(self, wire: Wire, frame: Frame, now: float) -> None:
        heads, resync = frame.heads or {}, frame.resync or []
        self.history.entries.append(Synced(now, wire.number, heads, resync, self.store.cursors()))
        self._since, self._syncing_since = frame.server_time, None
        self._take_epoch(frame)
        self.store.take_heads(heads, resync)
        if self._retry_after is not None:
            return  # the server is going away
        self.caught_up.set()
        self.caught_up_at = now
        for outgoing in self.outbox.values():
            if outgoing.socket != wire.number and now >= outgoing.not_before:
                self._send(outgoing, now)

    @property
    def is_loading(self) -> bool:
        """Whether a conversation is being loaded, or a sync is under way."""
        return self.store.is_loading or self._syncing_since is not None
