"""How plays are run: drawn by Hypothesis, each of them once."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

from hypothesis import HealthCheck, Phase, settings

P = ParamSpec("P")

DRAWN = settings(
    deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False
)


def plays_once(play: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Make a play a plain function that fails again, as it did, when it is repeated with the same arguments.

    Hypothesis repeats what failed, but against real processes a play does not go twice the same way.
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
