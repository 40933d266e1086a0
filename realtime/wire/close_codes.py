"""The close codes that a client can see, each with its meaning and with what the client does.

The only list: `docs/asyncapi.json` is made from it, and a test compares the table in `docs/protocol.md` with it.
"""

from enum import IntEnum
from typing import Self

_FIX_IT = "a fault of the client: fix it; reconnect, and do not send that frame again"


class CloseCode(IntEnum):
    """How the server ends a connection. Codes from 4000 on are this protocol's own, the others those of RFC 6455."""

    meaning: str
    advice: str

    def __new__(cls, code: int, meaning: str, advice: str) -> Self:
        """Make a member of a code, why the server uses it, and what the client does then."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning = meaning
        member.advice = advice
        return member

    PROTOCOL_ERROR = 1002, "a frame violated the WebSocket protocol", _FIX_IT
    UNSUPPORTED_DATA = 1003, "a binary frame came", _FIX_IT
    INVALID_TEXT = 1007, "a frame was not UTF-8", _FIX_IT
    TOO_BIG = 1009, "a frame was too big, or came in too many fragments", _FIX_IT
    INTERNAL_ERROR = 1011, "the server's ping was not answered, or the server failed", "reconnect"
    RESTART = (
        1012,
        "the process restarts or was suspended, the database was unavailable at sign-in, or another epoch began",
        "reconnect after `retry_after` of the `reconnect` frame if there was one, else as usual",
    )
    BAD_FRAMES = (
        4400,
        "more than 20 bad frames in a minute",
        "a fault of the client: reconnect slowly (30 s), report it",
    )
    NOT_SIGNED_IN = (
        4401,
        "not signed in: no `auth` in time, or the credential is not valid",
        "do not reconnect; sign in again. Keep the outbox",
    )
    REVOKED = (
        4403,
        "the session was revoked, or the account deactivated",
        "do not reconnect; remove local data, ask to sign in",
    )
    HEARTBEAT_MISSED = 4408, "nothing heard for 60 s", "reconnect"
    REPLACED = (
        4409,
        "a newer connection of the same device session took over",
        "do not reconnect by itself: two clients would replace each other for ever. "
        'Offer "use here" and connect when the person asks for it',
    )
    TOO_SLOW = 4410, "this client read too slowly", "reconnect and `sync`"
    TOO_FAST = (
        4429,
        "too many frames, pings or pongs, too many sockets of this person, or this device connected too often",
        "reconnect slowly: begin with a wait of up to 8 s",
    )
