"""A clock that a test moves."""


class Clock:
    """Replaces a module's `time`: `clock.now += 1` lets a second pass."""

    now = 1_000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now
