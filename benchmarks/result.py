"""What a workload found: named figures, and the limits they are held against."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.usage import Stopwatch


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that so many percent of the values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(name: str, seconds: Sequence[float]) -> dict[str, float]:
    """Return median and p99 of durations, in milliseconds."""
    return {f"{name}_p50_ms": percentile(seconds, 50) * 1e3, f"{name}_p99_ms": percentile(seconds, 99) * 1e3}


@dataclass(frozen=True, slots=True)
class Bar:
    """What a headline figure must reach (`first`) and what it is to reach in the end (`target`)."""

    first: float
    target: float
    at_least: bool  # else: at most

    def met(self, value: float, limit: float) -> bool:
        """Whether the value is on the right side of the limit."""
        return value >= limit if self.at_least else value <= limit


@dataclass(slots=True)
class Result:
    """The outcome of one workload.

    `headline` names the figure that counts; `figures` hold numbers whose names end in their unit.
    `shares` are CPU by process as a share of one core while measuring.
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
        """Take over how long it took and who used the CPU."""
        self.seconds, self.shares = watch.seconds, watch.shares
        return self
