"""Times and sizes that the campaign measures, and their limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Measure:
    """One thing measured many times; limits are None where there is none."""

    name: str
    unit: str = "s"
    p95: float | None = None
    p99: float | None = None
    most: float | None = None
    values: list[float] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        """Return the quantile of the values at this share (0.5: the median)."""
        ordered = sorted(self.values)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def violations(self) -> list[str]:
        """Return the limits that the values exceed."""
        if not self.values:
            return []
        judged = (("p95", self.p95, 0.95), ("p99", self.p99, 0.99), ("max", self.most, 1.0))
        return [
            f"{self.name}: {name} {value:.3g} {self.unit}, at most {limit:g} {self.unit}"
            for name, limit, share in judged
            if limit is not None and (value := self.quantile(share)) > limit
        ]


class Measures:
    """All measures of a run, by name."""

    def __init__(self) -> None:
        self.all: dict[str, Measure] = {}

    def add(
        self,
        name: str,
        values: Iterable[float],
        *,
        unit: str = "s",
        p95: float | None = None,
        p99: float | None = None,
        most: float | None = None,
    ) -> None:
        """Add values to a measure; the limits of the first call hold."""
        self.all.setdefault(name, Measure(name, unit, p95, p99, most)).values.extend(values)

    def violations(self) -> list[str]:
        """Return every limit that was exceeded."""
        return [text for measure in self.all.values() for text in measure.violations()]
