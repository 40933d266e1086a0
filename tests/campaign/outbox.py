"""What a device writes: each message waits here until it is answered for good.

What was not answered is sent again with the same `client_message_id`.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from tests.campaign.frames import REPEATABLE
from tests.campaign.history import Acked, History, Refused, Sent
from tests.campaign.line import Line

ANSWER_TIMEOUT = 10.0  # after which what was not answered is repeated
REFUSED_WAIT = 0.5  # seconds, at random, added to what a refusal asks for

Ask = Callable[[str, str, Any], Awaitable[tuple[int, Any]]]  # (method, path, body) -> status and body


@dataclass(slots=True)
class Outgoing:
    """A message on its way."""

    client_message_id: str
    conversation_id: str
    text: str
    written_at: float
    sent_at: float = 0.0
    socket: int = -1  # on which it was sent last
    sends: int = 0
    not_before: float = 0.0


class Outbox:
    """The messages of one device that are on their way: `waiting`, by `client_message_id`."""

    def __init__(
        self, history: History, line: Line, ask: Ask, dice: random.Random, on_answer: Callable[[Outgoing], None]
    ) -> None:
        self.waiting: dict[str, Outgoing] = {}
        self._history, self._line, self._ask, self._dice, self._on_answer = history, line, ask, dice, on_answer

    def put(self, outgoing: Outgoing) -> None:
        """Take a message, to be sent when the way is free."""
        self.waiting[outgoing.client_message_id] = outgoing

    def send(self, outgoing: Outgoing, now: float) -> None:
        """Send a message, for the first time or again."""
        outgoing.sent_at, outgoing.socket = now, self._line.number
        outgoing.sends += 1
        self._note_sent(outgoing, now, self._line.number)
        self._line.say(
            {"type": "send_message", "conversation_id": outgoing.conversation_id,
             "client_message_id": outgoing.client_message_id, "content": outgoing.text}
        )  # fmt: skip

    def send_unsent(self, now: float) -> None:
        """Send what was not sent on this connection yet."""
        for outgoing in self.waiting.values():
            if outgoing.socket != self._line.number and now >= outgoing.not_before:
                self.send(outgoing, now)

    def repeat_unanswered(self, now: float) -> None:
        """Send again what was sent on this connection long ago."""
        for outgoing in self.waiting.values():
            unanswered = outgoing.socket == self._line.number and now - outgoing.sent_at > ANSWER_TIMEOUT
            if unanswered and now >= outgoing.not_before:
                self.send(outgoing, now)

    async def post(self, outgoing: Outgoing) -> None:
        """Send a message over REST; without a good answer it goes the usual way."""
        outgoing.not_before = monotonic() + ANSWER_TIMEOUT
        outgoing.sends += 1
        self.put(outgoing)
        self._note_sent(outgoing, monotonic(), 0)
        status, body = await self._ask(
            "POST", "/messages",
            {"conversation_id": outgoing.conversation_id, "client_message_id": outgoing.client_message_id,
             "content": outgoing.text},
        )  # fmt: skip
        outgoing.not_before = 0.0
        if status in (200, 201):
            self.acked(outgoing.client_message_id, body["conversation_id"], body["id"], body["sequence"], status == 200)
        elif status:
            self.refused(outgoing.client_message_id, (body or {}).get("code", str(status)), None)

    def acked(self, client_id: str, conversation_id: str, message_id: str, sequence: int, duplicate: bool) -> None:
        """Take an acknowledgement."""
        self._history.entries.append(Acked(monotonic(), client_id, conversation_id, message_id, sequence, duplicate))
        outgoing = self.waiting.pop(client_id, None)
        if outgoing is not None:
            self._on_answer(outgoing)

    def refused(self, client_id: str, code: str, retry_after: float | None) -> None:
        """Take a refusal; one that is not for good lets the message wait."""
        now = monotonic()
        self._history.entries.append(Refused(now, client_id, code))
        outgoing = self.waiting.get(client_id)
        if outgoing is None:
            return
        if code in REPEATABLE:
            outgoing.not_before = now + (retry_after or 0.0) + self._dice.uniform(0, REFUSED_WAIT)
            outgoing.socket = -1
        else:
            del self.waiting[client_id]
            self._on_answer(outgoing)

    def _note_sent(self, outgoing: Outgoing, at: float, socket: int) -> None:
        self._history.entries.append(
            Sent(at, socket, outgoing.conversation_id, outgoing.client_message_id, outgoing.text)
        )
