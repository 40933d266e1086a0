"""A double of Apple's push service: HTTP/2 over TLS, token authentication, both environments."""

import time
from secrets import token_hex
from typing import TypedDict

from cryptography.hazmat.primitives.asymmetric import ec

from tests.harness.providers.certificates import private_pem, public_pem
from tests.harness.providers.double import Double


class ApnsSettings(TypedDict):
    """What a sender needs."""

    url: str  # production
    sandbox_url: str
    key: str  # the text of the .p8 file
    key_id: str
    team_id: str
    topic: str
    ca_file: str


class Apns(Double):
    """Apple's push service. Any well-formed device token is good in both environments, unless a test changes that."""

    name = "apns"
    listeners = 2

    def __init__(self, *, topic: str = "org.example.chatsite") -> None:
        super().__init__()
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._settings = {
            "public_key": public_pem(self._key),
            "key_id": token_hex(5).upper(),
            "team_id": token_hex(5).upper(),
            "topic": topic,
        }
        self._facts = {"devices": {}, "gone": {}, "token_lives": 3600.0, "token_rests": 1200.0}

    def settings(self) -> ApnsSettings:
        """Return what a sender needs to reach it."""
        return {
            "url": f"https://127.0.0.1:{self.ports[0]}",
            "sandbox_url": f"https://127.0.0.1:{self.ports[1]}",
            "key": private_pem(self._key),
            "key_id": self._settings["key_id"],
            "team_id": self._settings["team_id"],
            "topic": self._settings["topic"],
            "ca_file": str(self.ca_file),
        }

    def device(self, *, sandbox: bool = False) -> str:
        """Return the token of a new device, which is good in its environment only (elsewhere: BadDeviceToken)."""
        token = token_hex(32)
        self._set_facts(devices={token: int(sandbox)})
        return token

    def gone(self, token: str, *, since: float | None = None) -> None:
        """Let the app be gone from a device (410 Unregistered), since a time in seconds since 1970, by default now."""
        self._set_facts(gone={token: time.time() if since is None else since})

    def back(self, token: str) -> None:
        """Let the app be on the device again, with the token it had."""
        self._set_facts(gone={token: None})

    def provider_tokens(self, *, live: float = 3600.0, rest: float = 1200.0) -> None:
        """Change how old a sender's token may be, and how soon after another one a connection may show a new one.

        :param live: seconds; an older one is answered with ExpiredProviderToken.
        :param rest: seconds; a sooner one is answered with TooManyProviderTokenUpdates. 0 switches that off.
        """
        self._set_facts(token_lives=live, token_rests=rest)
