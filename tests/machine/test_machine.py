"""Random stories run against the server on PostgreSQL and against the plain model: they never differ.

After every step the answer or refusal is that of the model; every open socket has received exactly the frames that
its person may see, in order; the heads in a pong are those of the model; the reference client, and the reducer of the
web client under Node, show what the model shows. At the end every person reads everything over REST.

The stories of the suite are always the same. `make machine` runs many others.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.machine.web import WebClients

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("database_threads")]
STORIES = int(os.environ.get("MACHINE_STORIES", "0"))
IN_THE_SUITE = 30


@pytest.fixture
def web() -> Iterator[WebClients]:
    clients = WebClients()
    yield clients
    clients.stop()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """The event loop of the server in this process."""
    from tests.machine.local import close_connections, stop_server

    loop = asyncio.new_event_loop()
    yield loop
    loop.run_until_complete(stop_server())
    close_connections()
    loop.close()


# A story takes one second, on a busy machine five. Shrinking a failed story takes up to five minutes; only
# `make machine` does it.
@pytest.mark.timeout(STORIES * 10 + 400 if STORIES else 300)
def test_the_server_agrees_with_the_model_after_every_step(
    loop: asyncio.AbstractEventLoop, web: WebClients, limits: Callable[..., None]
) -> None:
    from messaging.integrity import faults
    from tests.machine.machine import Machine
    from tests.machine.stage import STEPS

    limits(messages_per_second=1e6, messages_burst=1e6, frames_per_second=1e6, frames_burst=1e6)
    tally: Counter[str] = Counter()
    told = settings(
        max_examples=STORIES or IN_THE_SUITE,
        stateful_step_count=40,
        derandomize=not STORIES,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if STORIES else [Phase.generate],
        print_blob=False,
        report_multiple_bugs=False,
    )
    run_state_machine_as_test(lambda: Machine(loop, web, tally), settings=told)
    assert list(faults()) == []
    missing = {name for name, *_ in STEPS} - tally.keys()
    assert not missing, f"too little happened: {missing} of {tally}"
    assert tally["done"] > 100, tally
    assert min(tally["lost"], tally["twice"], tally["late"]) > 20, tally
