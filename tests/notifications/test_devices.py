"""Push addresses: they belong to a session, follow the device to its next user, and are deleted at sign-out."""

import pytest
from django.db import connection
from push_notifications.models import APNSDevice, GCMDevice, WebPushDevice

from accounts.models import DeviceSession, User
from accounts.services import revoke_session
from notifications.frames import RegisterDevice
from notifications.models import PushDevice
from notifications.services.devices import forget_dead_device, forget_orphans, register_device, unregister_device
from realtime.database import clock
from realtime.wire.errors import DomainError, Invalid
from tests.making import at_once, people, person
from tests.notifications.registering import android, browser, device_of, iphone, session_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("providers")]

TURNS = 25


def addresses() -> set[tuple[str, str]]:
    devices = PushDevice.objects.select_related("user", "apns", "fcm", "web_push")
    return {(device.user.username, getattr(device, device.provider).registration_id) for device in devices}


def tokens() -> int:
    return sum(table.objects.count() for table in (APNSDevice, GCMDevice, WebPushDevice))


def test_registering_twice_keeps_one_device() -> None:
    session, registration = session_of(person("ana")), iphone("ab" * 32)
    first, is_new = register_device(session, registration)
    again, is_new_again = register_device(session, registration)
    assert (is_new, is_new_again, first.pk) == (True, False, again.pk)
    assert addresses() == {("ana", "ab" * 32)}


def test_a_token_moves_to_the_next_user_of_the_device() -> None:
    ana, ben = people("ana", "ben")
    device_of(ana, iphone("ab" * 32))
    device_of(ben, iphone("ab" * 32))
    assert addresses() == {("ben", "ab" * 32)}
    assert APNSDevice.objects.get().user_id == ben.pk


@pytest.mark.parametrize("other", [iphone, android, browser])
def test_a_new_token_replaces_that_of_the_session(other) -> None:  # type: ignore[no-untyped-def]
    ana = person("ana")
    session = session_of(ana)
    first, second = device_of(ana, iphone(), session), device_of(ana, other(), session)
    assert first.pk == second.pk
    assert tokens() == 1


def test_a_user_may_have_several_devices() -> None:
    ana = person("ana")
    for registration in (iphone(), android(), browser()):
        device_of(ana, registration)
    assert PushDevice.objects.filter(user=ana).count() == 3


def test_concurrent_registrations_leave_one_owner() -> None:
    users = people("ana", "ben", "cyd", "dan")
    registration = iphone("cd" * 32)
    sessions = [session_of(user) for user in users]
    results = at_once([lambda session=session: register_device(session, registration) for session in sessions * 3])
    assert not [result for result in results if isinstance(result, DomainError)]
    assert len(addresses()) == PushDevice.objects.count() == APNSDevice.objects.count() == 1
    assert PushDevice.objects.get().user_id == APNSDevice.objects.get().user_id


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_concurrent_changes_of_tokens_do_not_deadlock() -> None:
    ana, ben = people("ana", "ben")
    both = [iphone("ab" * 32), android("c" * 100)]

    def registers(session: DeviceSession, registrations: list[RegisterDevice]) -> None:
        for _ in range(TURNS):
            for each in registrations:
                device, _is_new = register_device(session, each)
                assert device.session_id == session.pk

    def signs_out(user: User) -> None:
        for _ in range(TURNS):
            for each in both:
                unregister_device(user_id=user.pk, token=each.device_token)

    def tokens_die() -> None:
        for _ in range(2 * TURNS):
            for device in PushDevice.objects.select_related("apns", "fcm"):
                forget_dead_device(device_id=device.pk, token=getattr(device, device.provider).registration_id)

    def orphans_are_swept() -> None:
        for _ in range(TURNS):
            forget_orphans()

    sessions = [session_of(user) for user in (ana, ben)]
    moving = [
        lambda: registers(sessions[0], both),
        lambda: registers(sessions[1], both[::-1]),
        lambda: registers(sessions[1], both),
    ]
    at_once([*moving, lambda: signs_out(ana), lambda: signs_out(ben), tokens_die, tokens_die, orphans_are_swept])
    assert tokens() == PushDevice.objects.count() <= 2
    for device in PushDevice.objects.select_related("session", "apns", "fcm"):
        assert device.user_id == device.session.user_id == getattr(device, device.provider).user_id


def test_only_own_tokens_can_be_unregistered() -> None:
    ana, ben = people("ana", "ben")
    device_of(ana, iphone("ab" * 32))
    unregister_device(user_id=ben.pk, token="ab" * 32)
    assert len(addresses()) == 1
    unregister_device(user_id=ana.pk, token="ab" * 32)
    unregister_device(user_id=ana.pk, token="ab" * 32)
    assert tokens() == PushDevice.objects.count() == 0


def test_a_dead_token_is_deleted_but_not_its_replacement() -> None:
    ana = person("ana")
    session = session_of(ana)
    device_of(ana, iphone("ab" * 32), session)
    device = device_of(ana, iphone("cd" * 32), session)
    forget_dead_device(device_id=device.pk, token="ab" * 32)
    assert addresses() == {("ana", "cd" * 32)}
    forget_dead_device(device_id=device.pk, token="cd" * 32)
    assert tokens() == 0


def test_a_token_registered_again_after_its_death_stays() -> None:
    session = session_of(person("ana"))
    device = device_of(session.user, iphone("ab" * 32), session)
    found_dead_at = clock.now()
    device_of(session.user, iphone("ab" * 32), session)
    forget_dead_device(device_id=device.pk, token="ab" * 32, since=found_dead_at)
    assert addresses() == {("ana", "ab" * 32)}
    forget_dead_device(device_id=device.pk, token="ab" * 32, since=clock.now())
    assert tokens() == 0


def test_tokens_of_purged_sessions_are_deleted() -> None:
    ana = person("ana")
    kept, gone = device_of(ana), device_of(ana)
    revoke_session(user_id=ana.pk, session_id=gone.session_id)
    gone.session.delete()
    assert forget_orphans() == 1
    assert PushDevice.objects.get() == kept


@pytest.mark.parametrize(
    ("registration", "field"),
    [
        (iphone("not hexadecimal"), "device_token"),
        (iphone("ab" * 101), "device_token"),
        (browser("http://push.example.org/1"), "device_token"),
        (browser("https://127.0.0.1/1"), "device_token"),
        (browser("https://[::ffff:10.0.0.1]/1"), "device_token"),
        (browser("https://push.example.org:8080/1"), "device_token"),
    ],
)
def test_an_invalid_token_is_refused(registration, field) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Invalid) as refusal:
        register_device(session_of(person("ana")), registration)
    assert set(refusal.value.fields or {}) == {field}
    assert tokens() == 0


def test_keys_off_the_curve_are_refused() -> None:
    registration = browser()
    assert registration.keys is not None
    registration.keys.p256dh = registration.keys.p256dh[:-4] + "AAAA"
    with pytest.raises(Invalid, match="keys"):
        register_device(session_of(person("ana")), registration)


def test_a_provider_without_keys_is_not_supported(settings) -> None:  # type: ignore[no-untyped-def]
    import dataclasses

    settings.PROVIDERS = dataclasses.replace(settings.PROVIDERS, fcm=None)
    with pytest.raises(DomainError) as refusal:
        register_device(session_of(person("ana")), android())
    assert refusal.value.code == "not_supported"
