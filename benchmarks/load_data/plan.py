"""How much load data there is to be, and how it is shared out."""

from dataclasses import dataclass

# Every tenth conversation is a group of 3 to 20 people, the others are direct.
GROUPS_EVERY = 10
SMALLEST_GROUP, GROUP_SIZES = 3, 18
# Messages are inserted in slices of the year, at most so many, each with a part of every conversation.
MOST_SLICES = 100
SMALLEST_SLICE = 1_000


@dataclass(frozen=True, slots=True)
class Plan:
    """How much to write. `seed` decides everything that looks like chance.

    Of C conversations number c (from 0) is the c-th largest: the first c hold a share of sqrt(c / C) of all
    messages, so half of them lie in the first quarter of the conversations.
    """

    messages: int
    people: int
    conversations: int
    seed: int = 1

    @property
    def slices(self) -> int:
        """In how many parts the messages are inserted."""
        return max(1, min(MOST_SLICES, self.messages // SMALLEST_SLICE))

    def faults(self) -> list[str]:
        """Return in sentences why this cannot be written; nothing when it can."""
        if self.messages < 0 or self.conversations < 1 or self.people < SMALLEST_GROUP:
            return [f"It takes {SMALLEST_GROUP} people, a conversation, and no fewer than 0 messages."]
        direct = self.conversations - -(-self.conversations // GROUPS_EVERY)
        pairs = self.people * ((self.people - 1) // 2)
        if direct > pairs:
            return [f"{self.people} people make {pairs} different pairs: too few for {direct} direct conversations."]
        return []
