"""What people do beside sending: receipts, edits, deletions, coming and going, peeking, revoking a device.

Each action runs in a loop with its own random generator. A request without a final answer is repeated, as by a
client; its outcome, or "unknown", is recorded for the checker.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import Any

from tests.campaign.crowd import Crowd, Group, Person
from tests.campaign.device import Device
from tests.campaign.evidence import Change, Membership, Outcome, Peek, Revocation
from tests.campaign.history import Acked, Heard, Sent

TRIES = 20
SILENT_WITHIN = 10.0  # seconds after its revocation a device must hear nothing; 1 s where wake-ups work
LOOK_BACK = 400  # entries of a history, in which something to edit or delete is looked for
# Seconds between two of a kind, on average, in a crowd of fifty.
RECEIPT, CHANGE, MEMBERSHIP, PEEK, REVOCATION = 0.06, 0.6, 2.0, 1.0, 8.0


class Actions:
    """Runs the actions and records them."""

    def __init__(self, crowd: Crowd, dice: random.Random, *, pace: float = 1.0) -> None:
        self.crowd, self.pace = crowd, pace
        self.changes: list[Change] = []
        self.memberships: list[Membership] = []
        self.peeks: list[Peek] = []
        self.revoked: list[tuple[float, Device]] = []
        self.deleted_texts: list[str] = []
        self.may_revoke = True  # not while a network is silent: it delivers buffered frames later
        self._changed: set[str] = set()
        self._members = {group.id: {person.id for person in group.founders} for group in crowd.groups}
        self._seed = dice.getrandbits(64)
        self._running: list[asyncio.Task[None]] = []
        self._stopping = False

    def begin(self) -> None:
        """Start every loop."""
        loops: list[tuple[float, Callable[[random.Random], Awaitable[None]]]] = [
            (RECEIPT, self._receipt),
            (CHANGE, self._change),
            (MEMBERSHIP, self._membership),
            (PEEK, self._peek),
            (REVOCATION, self._revocation),
        ]
        for number, (pause, do) in enumerate(loops):
            dice = random.Random(self._seed + number)
            self._running.append(asyncio.create_task(self._repeat(pause / self.pace, do, dice)))

    async def end(self) -> None:
        """Let what is under way finish, and stop."""
        self._stopping = True
        await asyncio.gather(*self._running)

    async def break_off(self) -> None:
        """Stop at once; nothing happens after an orderly end."""
        for task in self._running:
            task.cancel()
        await asyncio.wait(self._running)

    async def _repeat(self, pause: float, do: Callable[[random.Random], Awaitable[None]], dice: random.Random) -> None:
        due = monotonic() + dice.expovariate(1 / pause)
        while not self._stopping:
            await asyncio.sleep(min(0.1, max(0.0, due - monotonic())))
            if monotonic() >= due and not self._stopping:
                await do(dice)
                due = monotonic() + dice.expovariate(1 / pause)

    # --- Receipts, edits, deletions ---------------------------------------------------------

    async def _receipt(self, dice: random.Random) -> None:
        device = dice.choice(self.crowd.devices)
        if device.holds:
            device.sends_receipt(dice.choice(sorted(device.holds)), dice.choice(("delivery_receipt", "read_receipt")))

    async def _change(self, dice: random.Random) -> None:
        device = dice.choice(self.crowd.devices)
        recent = [
            entry
            for entry in device.history.entries[-LOOK_BACK:]
            if isinstance(entry, Acked)
            and entry.message_id not in self._changed
            and entry.conversation_id in device.holds
        ]
        if not recent or device.signed_out:
            return
        ack = dice.choice(recent)
        deletes = dice.random() < 0.5
        text = "" if deletes else f"edited {ack.client_message_id[:13]} {dice.getrandbits(32)}"
        self._changed.add(ack.message_id)
        path = f"/messages/{ack.message_id}"
        began = monotonic()
        if deletes:
            outcome, _ = await self._insist(device, "DELETE", f"{path}?for=everyone")
        else:
            outcome, _ = await self._insist(device, "PATCH", path, {"content": text})
        self.changes.append(Change(began, monotonic(), ack.message_id, text, outcome))
        if deletes and outcome == "done":
            self.deleted_texts += {
                entry.text
                for entry in device.history.entries
                if isinstance(entry, Sent) and entry.client_message_id == ack.client_message_id
            }

    async def _insist(self, device: Device, method: str, path: str, body: Any = None) -> tuple[Outcome, int]:
        """Repeat a request until the answer is final; return what came of it, and how often it was asked."""
        for tries in range(1, TRIES + 1):
            status, _ = await device.ask(method, path, body)
            if 200 <= status < 300:
                return "done", tries
            if status not in (0, 429, 500, 503):
                # After an unanswered attempt, a refusal may only mean that the earlier attempt succeeded.
                return ("refused" if tries == 1 else "unknown"), tries
            await asyncio.sleep(0.3)  # between two tries
        return "unknown", TRIES

    # --- Coming and going -------------------------------------------------------------------

    async def _membership(self, dice: random.Random) -> None:
        groups = [group for group in self.crowd.groups if not group.is_direct]
        if not groups:
            return
        group = dice.choice(groups)
        owner = group.founders[0].devices[0]
        person = dice.choice([each for each in self.crowd.people if each is not group.founders[0]])
        members = self._members[group.id]
        joins = person.id not in members
        if joins and len(members) > 8:
            return
        began = monotonic()
        path = f"/conversations/{group.id}/participants"
        if joins:
            outcome, _ = await self._insist(owner, "POST", path, {"user_ids": [person.id]})
        else:
            outcome, _ = await self._insist(owner, "DELETE", f"{path}/{person.id}")
        self.memberships.append(Membership(began, monotonic(), group.id, person.id, joins, outcome))
        if outcome != "refused":
            (members.add if joins else members.discard)(person.id)
        if joins and outcome == "done":
            self.crowd.lets_write(person, group.id)

    async def _peek(self, dice: random.Random) -> None:
        """Look at a conversation as somebody who is not in it, most of the time."""
        group: Group = dice.choice(self.crowd.groups)
        outsiders = [each for each in self.crowd.people if each.id not in self._members[group.id]]
        person: Person = dice.choice(outsiders or self.crowd.people)
        path = dice.choice(("", "/messages?limit=50", "/events?after=0", "/participants"))
        began = monotonic()
        status, body = await person.devices[0].ask("GET", f"/conversations/{group.id}{path}")
        texts = tuple(_texts_in(body)) if status == 200 else ()
        self.peeks.append(Peek(began, monotonic(), person.id, group.id, path, status, texts))

    async def _revocation(self, dice: random.Random) -> None:
        """End the session of somebody's second device."""
        having_two = [
            person for person in self.crowd.people if len(person.devices) > 1 and not person.devices[1].signed_out
        ]
        if not having_two or not self.may_revoke:
            return
        keeper, lost = dice.choice(having_two).devices
        if not lost.caught_up.is_set():
            return
        status, body = await keeper.ask("GET", "/auth/sessions")
        if status != 200:
            return
        others = [each["id"] for each in body["results"] if not each["current"]]
        lost.history.settled = False
        lost.signed_out = True
        outcome, _ = await self._insist(keeper, "DELETE", f"/auth/sessions/{others[0]}")
        if outcome == "done":
            self.revoked.append((monotonic(), lost))

    def revocations(self) -> list[Revocation]:
        """Return the revocations, with the time that each has at most, whatever fails meanwhile."""
        return [Revocation(at, device.name, SILENT_WITHIN) for at, device in self.revoked]

    def last_frames(self, disturbed: list[tuple[float, float]]) -> list[float]:
        """Return for how long each revoked device still got frames, without revocations during a disturbance."""
        return [
            max([0.0, *(entry.at - at for entry in device.history.entries[-LOOK_BACK:] if isinstance(entry, Heard))])
            for at, device in self.revoked
            if not any(begun - 1.5 < at < ended + 1.5 for begun, ended in disturbed)
        ]


def _texts_in(body: Any) -> list[str]:
    """Return every text that an answer shows, wherever in it."""
    if isinstance(body, dict):
        own = [body["content"]] if body.get("content") else []
        return own + [text for value in body.values() for text in _texts_in(value)]
    if isinstance(body, list):
        return [text for value in body for text in _texts_in(value)]
    return []
