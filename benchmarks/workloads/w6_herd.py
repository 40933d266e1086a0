"""W6, herd: 2,000 clients reconnect and sync at once, while 20 pairs chat.

Each client is in 14 conversations on average, and has missed two events in every third of them. The time is
from opening the first connection to the last `sync_complete`. The messages of the chatting pairs (100 a second in all)
are measured before and meanwhile.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from benchmarks.catching_up import CatchingUp, connected
from benchmarks.chatsite_client import Place
from benchmarks.chatting import Chat
from benchmarks.clients import Crowd, Invalid
from benchmarks.installation import Installation
from benchmarks.result import Bar, Result, spread
from benchmarks.usage import Stopwatch

CLIENTS, PAIRS, PER_SECOND = 2_000, 20, 100
LOAD_DATA = ("--messages", "100000", "--users", str(CLIENTS), "--conversations", "10000")
BEFORE_SECONDS = 5.0
TIMEOUT = 120.0
BAR = Bar(first=10.0, target=10.0, at_least=False)
OTHERS_BAR = Bar(first=500.0, target=500.0, at_least=False)


async def run(installation: Installation) -> list[Result]:
    """Measure."""
    beside = installation.beside()
    try:
        beside.generate_load_data(*LOAD_DATA)
        known = beside.describes("benchmarks.herd", str(CLIENTS), str(PAIRS))
        beside.fresh_server()
        results = await _measured(beside, known)
        beside.assert_clean_log()
        return results
    finally:
        beside.stop()


async def _measured(installation: Installation, known: Mapping[str, Any]) -> list[Result]:
    crowd = Crowd(installation)
    people = await crowd.connect([Place(**place) for pair in known["pairs"] for place in pair])
    chat = Chat(crowd, list(zip(people[::2], people[1::2], strict=True)), PER_SECOND)
    await crowd.settle()
    chat.begin()
    await asyncio.sleep(1)
    chat.mark()
    await asyncio.sleep(BEFORE_SECONDS)
    figures = chat.figures("before")
    watch = Stopwatch(installation.pids)
    watch.start()
    chat.mark()
    begun = time.perf_counter()
    herd = [_Returning(installation.url, client) for client in known["clients"]]
    try:
        async with asyncio.timeout(TIMEOUT):
            await asyncio.gather(*(client.come_back(begun) for client in herd))
        watch.stop()
        seconds = time.perf_counter() - begun
        figures |= chat.figures("meanwhile")
        await chat.end()
    except TimeoutError as error:
        raise Invalid(f"the herd was not back within {TIMEOUT:.0f} s") from error
    finally:
        for client in herd:
            client.leave()
        await crowd.leave()
    figures |= spread("connected", [client.connected_after for client in herd])
    figures |= spread("caught_up", [client.caught_up_after for client in herd])
    figures |= {f"{name}_cpu_per_client_us": watch.cpu[name] / CLIENTS * 1e6 for name in installation.pids}
    title = f"herd: {CLIENTS:,} clients reconnect and sync at once"
    return [
        Result("w6", title, "last_caught_up_s", BAR, {"last_caught_up_s": seconds} | figures).measured_by(watch),
        Result(
            "w6_others", f"{title}: others' acknowledgements", "meanwhile_ack_p99_ms", OTHERS_BAR, figures
        ).measured_by(watch),
    ]


class _Returning:
    """One client of the herd."""

    def __init__(self, url: str, known: Mapping[str, Any]) -> None:
        self._url, self._known = url, known
        self._client: CatchingUp | None = None
        self.connected_after = self.caught_up_after = 0.0  # seconds from the beginning

    async def come_back(self, begun: float) -> None:
        """Connect, catch up, and check that nothing is missing."""
        self._client = await connected(self._url, self._known["token"])
        self.connected_after = time.perf_counter() - begun
        caught_up = await self._client.sync(self._known["cursors"])
        self.caught_up_after = time.perf_counter() - begun
        missed = sum(self._known["heads"].values()) - sum(self._known["cursors"].values())
        if caught_up.events != missed or caught_up.heads != self._known["heads"]:
            raise Invalid(f"a client missed {missed} events and got {caught_up.events}")

    def leave(self) -> None:
        if self._client is not None:
            self._client.leave()
