"""What a check says."""

from dataclasses import dataclass, field

# More of the same say nothing new, and a campaign that goes wrong goes wrong a thousand times.
SHOWN = 20


@dataclass
class Verdict:
    """One invariant: how many cases were looked at, how many were wrong, and the first of those in words."""

    invariant: str
    checked: int = 0
    wrong: int = 0
    shown: list[str] = field(default_factory=list)

    def look(self, right: bool, what: str) -> None:
        """Count one case; `what` says how it is wrong when it is."""
        self.checked += 1
        if not right:
            self.blame(what)

    def blame(self, what: str) -> None:
        """Note a violation."""
        self.wrong += 1
        if len(self.shown) < SHOWN:
            self.shown.append(what)

    def add(self, other: "Verdict") -> None:
        """Count another verdict about the same invariant, too."""
        assert other.invariant == self.invariant
        self.checked += other.checked
        self.wrong += other.wrong
        self.shown = (self.shown + other.shown)[:SHOWN]
