"""The result of a check."""

from dataclasses import dataclass, field

# More violations of one invariant add nothing, and a broken campaign has thousands.
SHOWN = 20


@dataclass
class Verdict:
    """One invariant: how many cases were looked at, how many were wrong, and descriptions of the first of those."""

    invariant: str
    checked: int = 0
    wrong: int = 0
    shown: list[str] = field(default_factory=list)

    def look(self, right: bool, what: str) -> None:
        """Count one case; if it is not `right`, record `what` as a violation."""
        self.checked += 1
        if not right:
            self.blame(what)

    def blame(self, what: str) -> None:
        """Record a violation."""
        self.wrong += 1
        if len(self.shown) < SHOWN:
            self.shown.append(what)

    def add(self, other: "Verdict") -> None:
        """Add another verdict about the same invariant."""
        assert other.invariant == self.invariant
        self.checked += other.checked
        self.wrong += other.wrong
        self.shown = (self.shown + other.shown)[:SHOWN]
