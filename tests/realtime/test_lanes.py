"""Lanes: order per key, batches while busy, and failures that stay with their own item."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Sequence
from typing import Any

import pytest
from django.db import InterfaceError, InternalError, OperationalError

from realtime.database.lanes import Lanes
from realtime.wire.errors import DomainError, Forbidden
from tests.waiting import until

Item = tuple[str, int]


class Writer:
    """The batch function of a test: records its batches, blocks after `hold`, and raises `error` if set."""

    def __init__(self) -> None:
        self.batches: list[list[Item]] = []
        self.error: Exception | None = None
        self._free = threading.Event()
        self._free.set()

    def hold(self) -> None:
        self._free.clear()

    def let_go(self) -> None:
        self._free.set()

    def __call__(self, items: Sequence[Item]) -> list[int | DomainError]:
        self.batches.append(list(items))
        assert self._free.wait(10)
        if self.error is not None:
            raise self.error
        return [Forbidden("negative") if number < 0 else number * 10 for _, number in items]


@pytest.fixture
def writer() -> Writer:
    return Writer()


async def test_an_idle_lane_writes_one_item_at_once(writer: Writer) -> None:
    lanes = Lanes(writer, count=2)
    assert await lanes.run("a", ("a", 1)) == 10
    assert writer.batches == [[("a", 1)]]
    assert lanes.idle


async def test_items_submitted_during_a_write_form_one_ordered_batch(writer: Writer) -> None:
    lanes, answers = Lanes(writer, count=1), list[Any]()
    writer.hold()
    lanes.submit("a", ("a", 0), answers.append)
    await until(lambda: writer.batches)
    for number in range(1, 6):
        lanes.submit("ab"[number % 2], ("x", number), answers.append)
    assert not lanes.idle
    writer.let_go()
    await until(lambda: len(answers) == 6)
    assert [[number for _, number in batch] for batch in writer.batches] == [[0], [1, 2, 3, 4, 5]]
    assert answers == [0, 10, 20, 30, 40, 50]


async def test_a_batch_is_limited_in_size(writer: Writer) -> None:
    lanes, answers = Lanes(writer, count=1, most=4), list[Any]()
    writer.hold()
    for number in range(10):
        lanes.submit("a", ("a", number), answers.append)
    writer.let_go()
    await until(lambda: len(answers) == 10)
    assert [len(batch) for batch in writer.batches] == [1, 4, 4, 1]
    assert answers == [number * 10 for number in range(10)]


async def test_items_of_one_key_never_overtake_each_other(writer: Writer) -> None:
    lanes, answers = Lanes(writer, count=4, most=3), dict[str, list[int]]()
    for number in range(60):
        key = f"key {number % 7}"
        lanes.submit(key, (key, number), answers.setdefault(key, []).append)  # type: ignore[arg-type]
        if number % 5 == 0:
            await asyncio.sleep(0)
    await until(lambda: sum(map(len, answers.values())) == 60)
    assert all(numbers == sorted(numbers) for numbers in answers.values())


async def test_a_busy_lane_does_not_block_another(writer: Writer) -> None:
    lanes = Lanes(writer, count=2)
    keys = [0, 1]
    writer.hold()
    first = asyncio.create_task(lanes.run(keys[0], ("a", 1)))
    await until(lambda: writer.batches)
    second = asyncio.create_task(lanes.run(keys[1], ("b", 2)))
    await until(lambda: len(writer.batches) == 2)
    writer.let_go()
    assert [await first, await second] == [10, 20]


async def test_a_refusal_concerns_only_its_own_item(writer: Writer) -> None:
    lanes = Lanes(writer, count=1)
    writer.hold()
    tasks = [asyncio.create_task(lanes.run("a", ("a", number))) for number in (1, -1, 2)]
    await asyncio.sleep(0)
    writer.let_go()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results[1], Forbidden)
    assert [results[0], results[2]] == [10, 20]


@pytest.mark.parametrize(
    "error", [OperationalError("away"), InterfaceError("closed"), InternalError("ended"), ValueError("a bug")]
)
async def test_a_failed_batch_is_answered_try_again_and_the_lane_continues(
    error: Exception, writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    lanes = Lanes(writer, count=1)
    writer.error = error
    with pytest.raises(DomainError) as failed:
        await lanes.run("a", ("a", 1))
    assert failed.value.code == "try_again"
    assert ("a batch of 1 failed" in caplog.text) == isinstance(error, ValueError)
    writer.error = None
    assert await lanes.run("a", ("a", 2)) == 20


async def test_a_failing_callback_does_not_stop_the_other_answers(
    writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    lanes, answers = Lanes(writer, count=1), list[Any]()

    def fail(_: Any) -> None:
        raise RuntimeError("the socket is gone")

    writer.hold()
    for done in (answers.append, fail, answers.append):
        lanes.submit("a", ("a", 1), done)
    writer.let_go()
    await until(lambda: len(answers) == 2)
    assert "an answer could not be given" in caplog.text
    assert await lanes.run("a", ("a", 3)) == 30


def test_a_write_after_the_end_of_its_event_loop_raises_nothing(writer: Writer) -> None:
    [lane] = Lanes(writer, count=1)._lanes
    loop = asyncio.new_event_loop()
    loop.close()
    lane._run([(("a", 1), lambda _: None)], loop)
    assert writer.batches == [[("a", 1)]]


async def test_cancelling_the_wait_does_not_stop_the_write(writer: Writer) -> None:
    lanes = Lanes(writer, count=1)
    writer.hold()
    waiting = asyncio.create_task(lanes.run("a", ("a", 1)))
    await until(lambda: writer.batches)
    waiting.cancel()
    writer.let_go()
    await until(lambda: lanes.idle)
    assert await lanes.run("a", ("a", 2)) == 20


async def test_a_failure_keeps_no_reference_to_its_caller(writer: Writer) -> None:
    lanes = Lanes(writer, count=1)

    class Waiting: ...

    async def waits() -> "weakref.ref[Waiting]":
        waiting = Waiting()
        try:
            await lanes.run("a", ("a", -1))
        except Forbidden:
            return weakref.ref(waiting)
        pytest.fail("it was not refused")

    gc.disable()
    try:
        waited = await waits()
        await until(lambda: waited() is None)
    finally:
        gc.enable()
