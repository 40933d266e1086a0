"""Memberships: who was in which conversation, from which event to which. Read from the log and the founders."""

from collections import defaultdict
from dataclasses import dataclass

from tests.campaign.evidence import Evidence

FOREVER = 2**62


@dataclass(slots=True)
class Window:
    """A membership: from the event that began it to the one that ended it, both included."""

    first: int
    last: int = FOREVER


Windows = dict[tuple[str, str], list[Window]]  # (conversation, user) -> in order


def windows_of(evidence: Evidence) -> Windows:
    """Return everybody's memberships."""
    windows: Windows = defaultdict(list)
    for conversation_id, founders in evidence.founders.items():
        for user_id in founders:
            windows[conversation_id, user_id].append(Window(1))
    for conversation_id, events in evidence.contents.events.items():
        for event in events:
            if event.user_id is None:
                continue
            mine = windows[conversation_id, event.user_id]
            if event.kind == "participant_added":
                mine.append(Window(event.sequence))
            elif event.kind == "participant_removed" and mine:
                mine[-1].last = event.sequence
    return windows


def window_at(windows: Windows, conversation_id: str, user_id: str, sequence: int) -> Window | None:
    """Return the membership in which an event lies; None if it lies in none."""
    for window in reversed(windows.get((conversation_id, user_id), ())):
        if window.first <= sequence <= window.last:
            return window
    return None
