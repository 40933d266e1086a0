"""The result of a workload: named figures, and their limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.usage import Stopwatch


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the percentile by nearest rank: `percent` percent of the values do not exceed it."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """Return median and p99 of durations, in milliseconds."""
    return {f"{name}_p50_ms": percentile(seconds, 50) * 1e3, f"{name}_p99_ms": percentile(seconds, 99) * 1e3}


@dataclass(frozen=True, slots=True)
class Bar:
    """The limits of a headline figure: `first`, which it must reach, and `target`, which it should reach."""

    first: float
    target: float
    at_least: bool  # else: at most

    def met(self, value: float, limit: float) -> bool:
        """Whether the value satisfies the limit."""
        return value >= limit if self.at_least else value <= limit


@dataclass(slots=True)
class Result:
    """The outcome of one workload.

    `headline` is the name of the main figure; the names of `figures` end in their unit. `shares` are the CPU of
    each process during the measurement, as a share of one core.
    """

    workload: str
    title: str
    headline: str
    bar: Bar
    figures: dict[str, float]
    seconds: float = 0.0
    shares: dict[str, float] = field(default_factory=dict)
    server_rss_mib: float | None = None

    @property
    def value(self) -> float:
        """The headline figure."""
        return self.figures[self.headline]

    def milliseconds(self, percent: int) -> float | None:
        """Return the first latency among the figures, its median (50) or p99 (99); None if there is none."""
        return next((value for name, value in self.figures.items() if name.endswith(f"_p{percent}_ms")), None)

    def measured_by(self, watch: Stopwatch) -> Result:
        """Take duration and CPU shares from the stopwatch."""
        self.seconds, self.shares = watch.seconds, watch.shares
        return self
