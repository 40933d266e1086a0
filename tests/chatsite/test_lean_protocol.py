"""The lean replacements of asyncio's queue and event behave like them in everything that uvicorn uses."""

import asyncio

import pytest

from chatsite.server.lean_protocol import Gate, Inbox


async def test_an_inbox_returns_messages_in_order_and_waits() -> None:
    inbox = Inbox()
    assert inbox.empty()
    inbox.put_nowait(1)
    inbox.put_nowait(2)
    assert [await inbox.get(), await inbox.get()] == [1, 2]
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    assert not reader.done()
    inbox.put_nowait(3)
    inbox.put_nowait(4)
    assert await reader == 3
    assert await inbox.get() == 4


async def test_a_cancelled_reader_takes_no_message() -> None:
    inbox = Inbox()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.get(), 0.01)
    inbox.put_nowait("kept")
    assert await inbox.get() == "kept"
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put_nowait("kept, too")
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await inbox.get() == "kept, too"


async def test_setting_a_gate_releases_all_waiters() -> None:
    gate = Gate()
    await gate.wait()
    gate.clear()
    waiting = [asyncio.create_task(gate.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.sleep(0)
    assert not gate.is_set()
    assert [task.done() for task in waiting] == [False, True, False]
    gate.set()
    await asyncio.gather(waiting[0], waiting[2])
    assert gate.is_set()
    gate.set()
    await gate.wait()
