"""Keys that say who we are to push services, and tokens that are used again."""

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
    """Stands in for the module's `time`."""

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


def test_the_keys_of_rfc_8291() -> None:
    # Of RFC 8291, appendix A: a private key and its public key.
    private = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
    public = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
    assert vapid_public_key(private) == vapid_public_key(private + "=") == public


def test_a_new_key_each_time() -> None:
    one, other = new_vapid_private_key(), new_vapid_private_key()
    assert one != other
    assert len(from_base64url(one)) == 32
    assert len(from_base64url(vapid_public_key(one))) == 65


def test_pem_in_both_forms() -> None:
    key = read_private_key(new_vapid_private_key())
    old = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()
    for text in (pem(key), old):
        assert read_private_key(text).private_numbers() == key.private_numbers()


@pytest.mark.parametrize(
    "private", ["", "nonsense", "A" * 43, "_" * 43, "A" * 44, "A" * 86, pem(ec.generate_private_key(ec.SECP384R1()))]
)
def test_a_key_that_is_none(private: str) -> None:
    with pytest.raises(ValueError):
        vapid_public_key(private)


@pytest.mark.parametrize("subject", ["", "admin@example.net", "http://example.net"])
def test_a_subject_that_is_none(subject: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        Vapid(new_vapid_private_key(), subject)


def test_a_token_is_used_again_for_hours_and_for_its_origin_only(clock: Time) -> None:
    who = Vapid(new_vapid_private_key(), "mailto:admin@example.net")
    first = who.authorization("https://one.example.net")
    assert who.authorization("https://two.example.net") != first
    clock.passed = 5 * 3_600
    assert who.authorization("https://one.example.net") == first
    clock.passed = 7 * 3_600
    assert who.authorization("https://one.example.net") != first


def test_strangers_cannot_fill_the_memory(clock: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vapid, "MOST_ORIGINS", 2)
    who = Vapid(new_vapid_private_key(), "mailto:admin@example.net")
    kept = who.authorization("https://kept.example.net")
    for number in range(5):
        who.authorization(f"https://{number}.example.net")
        assert who.authorization("https://kept.example.net") == kept
    assert len(who._tokens) == 2
