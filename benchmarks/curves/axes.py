"""The four axes: which sizes, and which people are connected and talk at each."""

from __future__ import annotations

from dataclasses import dataclass

TALKING_PAIRS = 50


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement.

    `conversations` are the sizes of the active conversations, each with one message outstanding; `idle_pairs` are
    connected and silent; each sender is in `beside` more conversations.
    """

    x: int
    conversations: tuple[int, ...]
    idle_pairs: int = 0
    beside: int = 0
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Axis:
    """The quantity that grows, and the sizes at which it is measured."""

    name: str
    title: str
    points: tuple[Point, ...]


_PAIRS = (2,) * TALKING_PAIRS
AXES = {
    axis.name: axis
    for axis in (
        Axis(
            "connections",
            "connections, of which 100 talk in pairs",
            tuple(Point(x, _PAIRS, idle_pairs=(x - 100) // 2) for x in (100, 500, 1_000, 2_000, 5_000)),
        ),
        Axis(
            "members",
            "members of the one conversation, all connected",
            tuple(Point(x, (x,)) for x in (2, 10, 50, 200, 1_000, 5_000)),
        ),
        Axis("processes", "server processes", tuple(Point(x, _PAIRS, processes=x) for x in (1, 2, 4))),
        Axis(
            "conversations",
            "conversations of each of 100 people who talk in pairs",
            tuple(Point(x, _PAIRS, beside=x - 1) for x in (1, 10, 100, 1_000)),
        ),
    )
}
