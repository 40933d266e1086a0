"""A pipelined lane beside its threads, with recorded answers, and threads that hold row locks."""

import asyncio
import threading
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.db import connection, transaction

from conversations import event_log
from conversations.models import Conversation
from messaging.integrity import faults
from messaging.services.drafts import Send
from messaging.services.send import SENDING, Sent, send_messages
from realtime.database.lanes import Lanes
from realtime.wire.errors import DomainError
from realtime.writes.pipelined_lane import PipelinedLane
from tests.realtime.numbers import opened
from tests.waiting import until


class Desk:
    """Submits sends to a lane, records the answers, and records which sends went through the threads."""

    def __init__(self) -> None:
        self.by_threads: list[Send] = []
        self.lane = PipelinedLane(SENDING, Lanes(self._send_by_thread, count=2))
        self.threads_may_go_on = threading.Event()
        self.threads_may_go_on.set()
        self.answers: dict[uuid.UUID, Sent | DomainError] = {}
        self._submitted = 0

    async def opens(self) -> None:
        await opened(self.lane._pipeline)

    def submit(self, *sends: Send) -> None:
        for send in sends:
            self._submitted += 1
            self.lane.submit(send.conversation_id, send, lambda answer, send=send: self._answered(send, answer))

    async def answered(self, number: int | None = None) -> None:
        await until(lambda: len(self.answers) >= (self._submitted if number is None else number), within=20)

    def _answered(self, send: Send, answer: Sent | DomainError) -> None:
        assert send.client_message_id not in self.answers, "answered once"
        self.answers[send.client_message_id] = answer

    def _send_by_thread(self, sends: Sequence[Send]) -> Sequence[Sent | DomainError]:
        self.by_threads += sends
        assert self.threads_may_go_on.wait(10)
        return send_messages(sends)


class Holder(threading.Thread):
    """A thread that holds a row lock until `may_go_on` is set."""

    def __init__(self, locks: Callable[[], Any]) -> None:
        super().__init__()
        self.has_the_lock, self.may_go_on = threading.Event(), threading.Event()
        self._locks = locks

    def run(self) -> None:
        with transaction.atomic():
            self._locks()
            self.has_the_lock.set()
            self.may_go_on.wait(10)
        connection.close()


def holding(*conversations: Conversation) -> Holder:
    locking = event_log.locking_heads([conversation.id for conversation in conversations], wait=True)

    def lock() -> None:
        with connection.cursor() as cursor:
            cursor.execute(locking.text, locking.parameters)

    return started(Holder(lock))


def started(holder: Holder) -> Holder:
    holder.start()
    assert holder.has_the_lock.wait(10)
    return holder


def run(scenario: Callable[[Desk], Awaitable[None]]) -> Desk:
    desk = Desk()

    async def play() -> None:
        await desk.opens()
        try:
            await scenario(desk)
        finally:
            desk.lane.close()

    asyncio.run(play())
    assert list(faults()) == []
    return desk


def contents(talk: Conversation) -> list[str]:
    return list(talk.messages.order_by("sequence").values_list("content", flat=True))
