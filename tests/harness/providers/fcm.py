"""A double of Firebase Cloud Messaging (HTTP v1) and of Google's token endpoint, on one port."""

import json
from secrets import token_hex, token_urlsafe
from typing import TypedDict

from cryptography.hazmat.primitives.asymmetric import rsa

from tests.harness.providers.certificates import private_pem, public_pem
from tests.harness.providers.double import Double
from tests.harness.providers.fcm_service import OAUTH
from tests.harness.providers.received import Received


class FcmSettings(TypedDict):
    """What a sender needs."""

    url: str
    service_account: str  # the text of the JSON file; its token_uri is the double's
    project_id: str
    ca_file: str


class Fcm(Double):
    """Google's service. Any token is good unless a test changes that.

    Faults without a token are those of sending; `fails(..., token=OAUTH)` those of the token endpoint. A connection
    that is to be reset after its handshake is reset for both.
    """

    name = "fcm"

    def __init__(self, *, project: str = "chatsite-tests") -> None:
        super().__init__()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._settings = {
            "public_key": public_pem(self._key),
            "project": project,
            "client_email": f"pusher@{project}.iam.gserviceaccount.com",
            "key_id": token_hex(20),
            "secret": token_hex(16),
        }
        self._facts = {"gone": {}, "mismatched": {}, "access_lives": 3599.0, "access_issue": 0}

    def settings(self) -> FcmSettings:
        """Return what a sender needs to reach it."""
        account = {
            "type": "service_account",
            "project_id": self._settings["project"],
            "private_key_id": self._settings["key_id"],
            "private_key": private_pem(self._key),
            "client_email": self._settings["client_email"],
            "client_id": "100000000000000000000",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": f"https://127.0.0.1:{self.port}/token",
            "universe_domain": "googleapis.com",
        }
        return {
            "url": f"https://127.0.0.1:{self.port}",
            "service_account": json.dumps(account),
            "project_id": self._settings["project"],
            "ca_file": str(self.ca_file),
        }

    def device(self) -> str:
        """Return the token of a new device."""
        return f"{token_urlsafe(16)}:APA91b{token_urlsafe(100)}"

    def gone(self, token: str) -> None:
        """Let the app be gone from a device (404 UNREGISTERED)."""
        self._set_facts(gone={token: True})

    def back(self, token: str) -> None:
        """Let the token be good again."""
        self._set_facts(gone={token: False})

    def of_another_sender(self, token: str) -> None:
        """Let a token belong to another project (403 SENDER_ID_MISMATCH)."""
        self._set_facts(mismatched={token: True})

    def access_tokens(self, *, live: float = 3599.0) -> None:
        """Change how many seconds the access tokens live that are given from now on."""
        self._set_facts(access_lives=live)

    def revoke_access_tokens(self) -> None:
        """Let no access token given so far be good any more (401 UNAUTHENTICATED)."""
        self._set_facts(access_issue=self._facts["access_issue"] + 1)

    def pushes(self) -> list[Received]:
        """Return those of `received()` that were sent to messages:send."""
        return [record for record in self.received() if record.token != OAUTH]

    def access_requests(self) -> list[Received]:
        """Return those of `received()` that asked for an access token."""
        return [record for record in self.received() if record.token == OAUTH]

    def _write_settings(self) -> None:
        self._settings["token_uri"] = f"https://127.0.0.1:{self.port}/token"
        super()._write_settings()
