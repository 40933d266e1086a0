"""VAPID keys, which identify this server to push services, and the reuse of their tokens."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from notifications.providers import vapid
from notifications.providers.vapid import (
    Vapid,
    from_base64url,
    new_vapid_private_key,
    read_private_key,
    vapid_public_key,
)
from tests.notifications.providers.conftest import pem


class Time:
    """Replaces the module's `time`."""

    passed = 0.0

    def time(self) -> float:
        return 1_700_000_000 + self.passed

    def monotonic(self) -> float:
        return 1_000 + self.passed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Time:
    clock = Time()
    monkeypatch.setattr(vapid, "time", clock)
    return clock


def test_a_private_key_gives_the_public_key_of_rfc_8291() -> None:
    # RFC 8291, appendix A: a private key and its public key.
    private = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
    public = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
    assert vapid_public_key(private) == vapid_public_key(private + "=") == public


def test_new_keys_differ() -> None:
    one, other = new_vapid_private_key(), new_vapid_private_key()
    assert one != other
    assert len(from_base64url(one)) == 32
    assert len(from_base64url(vapid_public_key(one))) == 65


def test_both_forms_of_pem_are_read() -> None:
    key = read_private_key(new_vapid_private_key())
    old = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    for text in (pem(key), old):
        assert read_private_key(text).private_numbers() == key.private_numbers()


@pytest.mark.parametrize(
    "private", ["", "nonsense", "A" * 43, "_" * 43, "A" * 44, "A" * 86, pem(ec.generate_private_key(ec.SECP384R1()))]
)
def test_an_invalid_key_is_refused(private: str) -> None:
    with pytest.raises(ValueError):
        vapid_public_key(private)


@pytest.mark.parametrize("subject", ["", "admin@example.net", "http://example.net"])
def test_an_invalid_subject_is_refused(subject: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        Vapid(new_vapid_private_key(), subject)


def test_a_token_is_reused_for_hours_for_its_origin_only(clock: Time) -> None:
    identity = Vapid(new_vapid_private_key(), "mailto:admin@example.net")
    first = identity.authorization("https://one.example.net")
    assert identity.authorization("https://two.example.net") != first
    clock.passed = 5 * 3_600
    assert identity.authorization("https://one.example.net") == first
    clock.passed = 7 * 3_600
    assert identity.authorization("https://one.example.net") != first


def test_the_number_of_cached_tokens_is_limited(clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vapid, "MOST_ORIGINS", 2)
    identity = Vapid(new_vapid_private_key(), "mailto:admin@example.net")
    kept = identity.authorization("https://kept.example.net")
    for number in range(5):
        identity.authorization(f"https://{number}.example.net")
        assert identity.authorization("https://kept.example.net") == kept
    assert len(identity._tokens) == 2
