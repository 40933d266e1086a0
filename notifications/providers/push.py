"""A sender's argument and its answers. Not here: what to send to whom, and what follows from an answer."""

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

    id: UUID  # of the delivery; sent to providers that take an id
    kind: PushKind
    token: str  # of APNs or FCM; for Web Push the endpoint
    badge: int  # unread messages of the person in all conversations
    data: dict[str, str]  # ids and counts for the app: all values text, since FCM wants text
    collapse_id: str | None = None  # at most 64 bytes; a newer push with the same one replaces the older on the device
    thread_id: str | None = None  # groups what belongs to a conversation
    title: str | None = None  # None: `wording` returns the default
    body: str | None = None
    seconds_to_live: int = 86_400
    sandbox: bool = False  # APNs' other environment
    keys: tuple[str, str] | None = None  # Web Push: p256dh and auth, base64url


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider took the push. `provider_id` is the id that the provider gave it."""

    provider_id: str | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """The token is no longer valid, `since` when, if the provider says so; one that was registered later is valid."""

    reason: str
    since: datetime.datetime | None = None


@dataclass(frozen=True, slots=True)
class Busy:
    """Another attempt may succeed, after `retry_after` seconds at the earliest if the provider said so.

    Also the answer while the provider refuses our key, which the operator can correct. `counts`: it is a failure of the
    provider as a whole, and not only of this device or this process.
    """

    reason: str
    retry_after: float | None = None
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refused the push, and another attempt would not help. Never a reason to remove a token."""

    reason: str


Answer = Accepted | Dead | Busy | Refused


class Sender(Protocol):
    """Sends to one provider."""

    def send(self, push: Push) -> Answer:
        """Make one attempt. Never raises; many threads call it at once."""


def wording(push: Push) -> tuple[str, str | None]:
    """Return the title and body to show: generic ones if the push has none."""
    if push.title is not None:
        return push.title, push.body
    return ("Chatsite: test" if push.kind == "test" else "New message"), push.body


def app_data(push: Push) -> dict[str, str]:
    """Return the data for the app: `data`, with the kind and the badge as text."""
    return {"kind": push.kind, **push.data, "badge": str(push.badge)}
