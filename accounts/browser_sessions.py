"""Browser sessions in the database, by the hash of the cookie's value.

Like a bearer token, the value itself is stored nowhere, so that nobody can sign in with what a table or a backup shows.
Only the synchronous methods are here: Django's middleware and this project use no others.
"""

import hashlib
from typing import Any

from django.contrib.sessions.backends import db
from django.contrib.sessions.base_session import AbstractBaseSession
from django.utils import timezone


def stored_key(session_key: str) -> str:
    """Return what the table stores instead of a key: 160 bits of its SHA-256, which fit the column."""
    return hashlib.sha256(session_key.encode()).hexdigest()[:40]


class SessionStore(db.SessionStore):
    """Django's session store, with hashed keys."""

    def _get_session_from_db(self) -> AbstractBaseSession | None:
        now, key = timezone.now(), stored_key(self.session_key or "")
        found: AbstractBaseSession | None = self.model.objects.filter(session_key=key, expire_date__gt=now).first()
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        return super().exists(stored_key(session_key))

    def create_model_instance(self, data: dict[str, Any]) -> AbstractBaseSession:
        row: AbstractBaseSession = super().create_model_instance(data)
        row.session_key = stored_key(row.session_key)
        return row

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        if key is not None:
            super().delete(stored_key(key))
