"""Running a coroutine up to its first wait without a task, and the rest of it in one."""

from collections.abc import Coroutine, Generator
from functools import partial
from typing import Any


class Rest:
    """The rest of a coroutine that ran up to its first wait; to be awaited in a task."""

    __slots__ = ("_coroutine", "_waited_for")

    def __init__(self, coroutine: Coroutine[Any, Any, None], waited_for: Any) -> None:
        self._coroutine = coroutine
        self._waited_for = waited_for

    def __await__(self) -> Generator[Any, Any, None]:
        waited_for = self._waited_for
        while True:
            try:
                yield waited_for
            except BaseException as error:  # noqa: BLE001 - every error goes on to the coroutine
                resume = partial(self._coroutine.throw, error)
            else:
                resume = partial(self._coroutine.send, None)
            try:
                waited_for = resume()
            except StopIteration:
                return
