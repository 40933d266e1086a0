"""Creates people with a session each: run as a module, it reads names and prints session keys, both as JSON."""

import json
import sys
from datetime import timedelta

import django


def main(names: list[str]) -> list[str]:
    """Create people with these names, and return a session key for each."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore
    from django.contrib.sessions.models import Session
    from django.utils import timezone
    from django.utils.crypto import get_random_string

    password = make_password(None)
    users = User.objects.bulk_create(User(username=name, password=password) for name in names)
    sessions = [
        Session(
            session_key=get_random_string(32, "abcdefghijklmnopqrstuvwxyz0123456789"),
            session_data=SessionStore().encode(
                {
                    SESSION_KEY: str(user.pk),
                    BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend",
                    HASH_SESSION_KEY: user.get_session_auth_hash(),
                }
            ),
            expire_date=timezone.now() + timedelta(days=1),
        )
        for user in users
    ]
    Session.objects.bulk_create(sessions)
    return [session.session_key for session in sessions]


if __name__ == "__main__":
    django.setup()
    json.dump(main(json.load(sys.stdin)), sys.stdout)
