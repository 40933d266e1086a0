"""The access token of a Google service account: fetched with a signed assertion (RFC 7523), shared by all threads."""

import json
import threading
import time
from dataclasses import dataclass
from urllib.parse import urlencode

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from notifications.providers.addresses import service_url
from notifications.providers.push import Busy, Refused
from notifications.providers.transport import Transport, Unreachable

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
# Before the end of a token's hour. One thread fetches the next token, and the others go on with this one.
RENEW_SECONDS_BEFORE = 300.0
# A token that is about to expire could expire on its way.
USED_SECONDS_BEFORE = 30.0


class NoAccess(Exception):
    """There is no token; `answer` is the answer for the push."""

    def __init__(self, answer: Busy | Refused) -> None:
        super().__init__(answer.reason)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class ServiceAccount:
    """The content of a service account's JSON key file."""

    project_id: str
    client_email: str
    private_key_id: str
    private_key: RSAPrivateKey
    token_uri: str

    @classmethod
    def read(cls, text: str) -> "ServiceAccount":
        """Return the content of a key file.

        :raises ValueError: it is no key file of a service account.
        """
        try:
            content = json.loads(text)
            key = load_pem_private_key(content["private_key"].encode(), password=None)
            account = cls(
                str(content["project_id"]),
                str(content["client_email"]),
                str(content.get("private_key_id", "")),
                key,  # type: ignore[arg-type]
                str(content.get("token_uri", "https://oauth2.googleapis.com/token")),
            )
        except (LookupError, TypeError, AttributeError) as error:
            raise ValueError(f"not the key file of a service account: {error!r}") from error
        if not isinstance(account.private_key, RSAPrivateKey):
            raise ValueError("the key of the service account is no RSA key")
        service_url(account.token_uri)
        return account


class AccessToken:
    """Fetches and keeps the token."""

    def __init__(self, account: ServiceAccount, transport: Transport) -> None:
        self._account = account
        self._transport = transport
        self._url = service_url(account.token_uri)
        self._fetching = threading.Lock()
        # Replaced as a whole, so that it can be read without the lock.
        self._kept = ("", 0.0)  # the token and until when, by the monotonic clock
        self._attempts = 0
        self._failure: NoAccess | None = None

    def current(self) -> str:
        """Return a token that is valid for at least `USED_SECONDS_BEFORE`.

        :raises NoAccess: Google gives none.
        """
        text, until = self._kept
        left = until - time.monotonic()
        if left > RENEW_SECONDS_BEFORE:
            return text
        if left > USED_SECONDS_BEFORE:
            if self._fetching.acquire(blocking=False):
                try:
                    return self._fetch()
                except NoAccess:
                    return text
                finally:
                    self._fetching.release()
            return text
        return self._wait_for(instead_of=text)

    def instead_of(self, refused: str) -> str:
        """Return a different token than the one that was refused.

        :raises NoAccess: Google gives none.
        """
        return self._wait_for(instead_of=refused)

    def _wait_for(self, *, instead_of: str) -> str:
        """Fetch a token, or wait for the thread that does and share its failure: many threads do not fail in turn."""
        attempts = self._attempts
        with self._fetching:
            if self._kept[0] and self._kept[0] != instead_of:
                return self._kept[0]
            if self._attempts != attempts and self._failure is not None:
                raise NoAccess(self._failure.answer)
            return self._fetch()

    def _fetch(self) -> str:
        """Ask for a token; the caller holds the lock."""
        try:
            text, seconds = self._asked()
        except NoAccess as failure:
            self._failure = failure
            raise
        finally:
            self._attempts += 1
        self._failure = None
        self._kept = (text, time.monotonic() + seconds)
        return text

    def _asked(self) -> tuple[str, float]:
        now = int(time.time())
        claims = {
            "iss": self._account.client_email,
            "scope": SCOPE,
            "aud": self._account.token_uri,
            "iat": now,
            "exp": now + 3_600,
        }
        key_id = {"kid": self._account.private_key_id} if self._account.private_key_id else None
        assertion = jwt.encode(claims, self._account.private_key, algorithm="RS256", headers=key_id)
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
        headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
        try:
            reply = self._transport.post(self._url, headers, urlencode(form).encode())
        except Unreachable as error:
            raise NoAccess(Busy(f"access token: {error.reason}", counts=not error.was_never_sent)) from error
        content = reply.json
        if reply.status == 429 or reply.status >= 500:
            raise NoAccess(Busy(f"access token: status {reply.status}", reply.retry_after))
        if reply.status != 200:
            reason = content.get("error")
            reason = reason[:100] if isinstance(reason, str) else f"status {reply.status}"
            # The operator can correct the key: pushes wait for that.
            raise NoAccess(Busy(f"access token: {reason}"))
        text, seconds = content.get("access_token"), content.get("expires_in", 3_600)
        if not isinstance(text, str) or not text or not isinstance(seconds, int | float):
            raise NoAccess(Busy("access token: invalid answer"))
        return text, float(seconds)
