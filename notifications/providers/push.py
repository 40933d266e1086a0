"""What a sender is given and what it answers. Not here: whom to tell what, and what follows from an answer."""

import datetime
from dataclasses import dataclass
from typing import Literal, Protocol
from uuid import UUID

PushKind = Literal["message", "badge", "sync", "test"]


@dataclass(frozen=True, slots=True)
class Push:
    """One notification for one device.

    `message` and `test` are shown; `badge` changes only the number on the icon; `sync` wakes the app silently.
    """

    id: UUID  # of the delivery; what a provider that knows idempotency is given
    kind: PushKind
    token: str  # of APNs or FCM; for Web Push the endpoint
    badge: int  # unread messages of the person in all conversations
    data: dict[str, str]  # ids and counts for the app: all values text, since FCM wants text
    collapse_id: str | None = None  # at most 64 bytes; a newer push with the same one replaces the older on the device
    thread_id: str | None = None  # groups what belongs to a conversation
    title: str | None = None  # None: `wording` says what is shown instead
    body: str | None = None
    seconds_to_live: int = 86_400
    sandbox: bool = False  # APNs' other environment
    keys: tuple[str, str] | None = None  # Web Push: p256dh and auth, base64url


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took it. `provider_id` is the provider's name for it."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """The token is gone; `since` when, where the provider says so: one that was registered again later lives."""

    reason: str
    since: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """Another try may succeed, not before `retry_after` seconds where the provider said so.

    Also while it does not accept our key, which the operator can mend.
    `counts`: it speaks against the provider as a whole, and not only against this device or this process.
    """

    reason: str
    retry_after: float | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """Our mistake, or nothing that another try mends. Never a reason to remove a token."""

    reason: str


Answer = Accepted | Dead | Busy | Refused


class Sender(Protocol):
    """The door to one provider."""

    def send(self, push: Push) -> Answer:
        """Make one attempt. Never raises; many threads call it at once."""


def wording(push: Push) -> tuple[str, str | None]:
    """Return the title and body to show: generic words where the push has none of its own."""
    if push.title is not None:
        return push.title, push.body
    return ("Chatsite: test" if push.kind == "test" else "New message"), push.body


def app_data(push: Push) -> dict[str, str]:
    """Return what the app itself is told: `data`, with the kind and the badge as text."""
    return {"kind": push.kind, **push.data, "badge": str(push.badge)}
