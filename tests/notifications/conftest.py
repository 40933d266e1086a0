"""Fixtures of the unit tests: providers with keys, and sweeps that start at the beginning of each table."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chatsite.configuration.notifying import Apns, Fcm, Pace, Providers, WebPush
from tests.fixtures import *  # noqa: F403 - fixtures are found by name


def pem(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.fixture(scope="session")
def all_providers() -> Providers:
    """Every provider set up, at addresses where nothing listens."""
    apple, web = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    google = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    account = {
        "project_id": "chat",
        "client_email": "chat@chat.example.org",
        "private_key": pem(google),
        "token_uri": "https://127.0.0.1:1/token",
    }
    nowhere = "https://127.0.0.1:1"
    return Providers(
        apns=Apns(pem(apple), "KEY1234567", "TEAM123456", "org.example.chat", nowhere, nowhere),
        fcm=Fcm(json.dumps(account), nowhere),
        web_push=WebPush(pem(web), "mailto:staff@example.org"),
    )


@pytest.fixture
def providers(settings: Any, all_providers: Providers) -> Iterator[Providers]:
    """Give the server the keys of every provider."""
    from notifications.senders import public_key, sender_of

    settings.PROVIDERS = all_providers
    sender_of.cache_clear()
    public_key.cache_clear()
    yield all_providers
    sender_of.cache_clear()
    public_key.cache_clear()


@pytest.fixture
def progress(db: None) -> None:
    """Make every sweep start at the beginning of its table. The end of a test empties `Progress` like all tables."""
    from notifications.models import Progress

    for name in ("events", "mail", "receipts"):
        Progress.objects.update_or_create(name=name, defaults={"floor": 0, "candidate": 0, "horizon": 0})


@pytest.fixture
def without_delay(settings: Any) -> None:
    """Decide about each message at once."""
    settings.NOTIFICATION_PACE = Pace(push_delay=0)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Send every push to one provider that answers at once (`instant_provider`), and forget all breakers."""
    from notifications.selectors import breakers
    from notifications.services import deliver
    from tests.notifications.instant_provider import Provider

    one = Provider()
    monkeypatch.setattr(deliver, "sender_of", lambda name: one)
    breakers.forget()
    yield one
    breakers.forget()
