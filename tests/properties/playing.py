"""Running plays: Hypothesis draws them, and each runs once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from hypothesis import HealthCheck, Phase, settings

P = ParamSpec("P")

DRAWN = settings(
    deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False
)


def plays_once(play: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a play a plain function that raises its first failure again for the same arguments.

    Hypothesis repeats a failure, but a play against real processes does not always fail twice.
    """
    failed: dict[str, Exception] = {}

    def plays(*args: P.args, **kwargs: P.kwargs) -> None:
        key = repr((args, kwargs))
        try:
            if key not in failed:
                asyncio.run(play(*args, **kwargs))
        except Exception as failure:  # noqa: BLE001 - raised below
            failed[key] = failure
        if key in failed:
            raise failed[key]

    return plays
