"""Helpers for tests that kill parts of a stage: the process that pushes, the broker, and how both come back."""

import asyncio
import time
from collections.abc import Callable, Collection
from typing import Any

import pytest

from tests.harness.providers.double import Double
from tests.harness.providers.screen import visible
from tests.harness.servers import Server
from tests.harness.workers import Worker
from tests.pushing.stage import Stage
from tests.waiting import DEADLINE


def on(*kinds: tuple[str, str]) -> pytest.MarkDecorator:
    """Let a test have a stage of these kinds only."""
    return pytest.mark.parametrize("stage", kinds, indirect=True, ids="-".join)


on_each_broker = on(("production", "redis"), ("production", "rabbitmq"))
# For tests on which the broker has no influence.
on_one = on(("production", "rabbitmq"))


def pusher(stage: Stage) -> Worker | Server:
    """Return the process that pushes."""
    return stage.workers[0] if stage.workers else stage.site.servers[0]


async def dies(process: Worker | Server, *, timeout: float = DEADLINE) -> None:
    """Wait until a process has killed itself at its crash point.

    :raises AssertionError: it still runs, or ended otherwise.
    """
    until = time.monotonic() + timeout
    while process.running:
        assert time.monotonic() < until, f"{process.name} did not come to its crash point\n{process.log()[-3000:]}"
        await asyncio.sleep(0.02)
    assert process.program.exit_code == -9, process.log()[-3000:]


def start_again(process: Any) -> None:
    """Start a part that has ended; let a frozen one go on."""
    if process.program.running:
        process.program.thaw()
    else:
        process.start()


def heal(stage: Stage, *others: Any) -> None:
    """Let everything of a stage run again."""
    for part in (*others, stage.site.redis, *stage.site.servers, *stage.workers):
        if part is not None:
            start_again(part)


def shown_on(double: Double, token: str) -> dict[str, int]:
    """Return how many pushes a device got for each conversation that it shows.

    :raises AssertionError: it shows a conversation twice.
    """
    screen = visible(double.received()).get(token)
    shown = [(str(each.thread), len(each.pushes)) for each in (screen.shown if screen else [])]
    assert len(dict(shown)) == len(shown), f"twice on the screen: {shown}"
    return dict(shown)


def each_once(talks: Collection[Any]) -> dict[str, int]:
    """Return what `shown_on` returns if each conversation was pushed once."""
    return {talk["id"]: 1 for talk in talks}


def no_task_failed(stage: Stage) -> Callable[[], None]:
    """Return a check that no task of a worker has failed with an unexpected error since now.

    The check raises AssertionError with the log in question.
    """
    begun = {worker.name: len(worker.log()) for worker in stage.workers}

    def check() -> None:
        for worker in stage.workers:
            log = worker.log()[begun[worker.name] :]
            assert "raised unexpected" not in log, log[-6000:]

    return check
