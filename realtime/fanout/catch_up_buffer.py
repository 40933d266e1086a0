"""The live events that reach a socket while it signs in or catches up, and are delivered after that."""

import time
from collections.abc import Iterator, Mapping

from django.conf import settings

from realtime.wire.wire_frame import WireFrame


class CatchUpBuffer:
    """Live events in the order in which they came, until the catch-up is complete.

    `takes_ephemeral`: ephemeral events are buffered as well, as before `connected`.
    """

    __slots__ = ("_frames", "since", "takes_ephemeral")

    def __init__(self, *, takes_ephemeral: bool) -> None:
        # When the buffering began, by the monotonic clock.
        self.since = time.monotonic()
        self.takes_ephemeral = takes_ephemeral
        self._frames: list[tuple[str, int, WireFrame]] = []

    @property
    def is_overfull(self) -> bool:
        """Whether there are more frames than may wait for a catch-up: four outboxes."""
        return len(self._frames) > settings.LIMITS.outbox_frames * 4

    def append(self, conversation_id: str, sequence: int, frame: WireFrame) -> None:
        """Buffer an event of the log."""
        self._frames.append((conversation_id, sequence, frame))

    def append_ephemeral(self, frame: WireFrame) -> None:
        """Buffer an ephemeral event: of no conversation, so that no catch-up covers it."""
        self._frames.append(("", 1, frame))

    def above(self, covered: Mapping[str, int]) -> Iterator[WireFrame]:
        """Yield the frames that the catch-up did not cover, given the last sequence covered of each conversation."""
        for conversation_id, sequence, frame in self._frames:
            if sequence > covered.get(conversation_id, 0):
                yield frame
