"""Push addresses: they belong to a session, move with the device, and go when it signs out."""

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


def test_registering_twice_is_once() -> None:
    session, wanted = session_of(person("ana")), iphone("ab" * 32)
    first, is_new = register_device(session, wanted)
    again, is_new_again = register_device(session, wanted)
    assert (is_new, is_new_again, first.pk) == (True, False, again.pk)
    assert addresses() == {("ana", "ab" * 32)}


def test_a_token_moves_to_whoever_signs_in_on_the_device() -> None:
    ana, ben = people("ana", "ben")
    device_of(ana, iphone("ab" * 32))
    device_of(ben, iphone("ab" * 32))
    assert addresses() == {("ben", "ab" * 32)}
    assert APNSDevice.objects.get().user_id == ben.pk


@pytest.mark.parametrize("other", [iphone, android, browser])
def test_a_session_has_one_address_and_what_is_on_its_way_follows(other) -> None:  # type: ignore[no-untyped-def]
    ana = person("ana")
    session = session_of(ana)
    first, second = device_of(ana, iphone(), session), device_of(ana, other(), session)
    assert first.pk == second.pk
    assert tokens() == 1


def test_several_devices_of_one_person() -> None:
    ana = person("ana")
    for wanted in (iphone(), android(), browser()):
        device_of(ana, wanted)
    assert PushDevice.objects.filter(user=ana).count() == 3


def test_many_at_once_leave_one_owner() -> None:
    users = people("ana", "ben", "cyd", "dan")
    wanted = iphone("cd" * 32)
    sessions = [session_of(user) for user in users]
    results = at_once([lambda session=session: register_device(session, wanted) for session in sessions * 3])
    assert not [result for result in results if isinstance(result, DomainError)]
    assert len(addresses()) == PushDevice.objects.count() == APNSDevice.objects.count() == 1
    assert PushDevice.objects.get().user_id == APNSDevice.objects.get().user_id


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
def test_tokens_that_move_die_and_sign_out_at_once_block_nobody_for_ever() -> None:
    ana, ben = people("ana", "ben")
    both = [iphone("ab" * 32), android("c" * 100)]

    def registers(session: DeviceSession, wanted: list[RegisterDevice]) -> None:
        for _ in range(TURNS):
            for each in wanted:
                device, _is_new = register_device(session, each)
                assert device.session_id == session.pk

    def signs_out(user: User) -> None:
        for _ in range(TURNS):
            for each in both:
                unregister_device(user_id=user.pk, token=each.device_token)

    def dies() -> None:
        for _ in range(2 * TURNS):
            for device in PushDevice.objects.select_related("apns", "fcm"):
                forget_dead_device(device_id=device.pk, token=getattr(device, device.provider).registration_id)

    def is_swept() -> None:
        for _ in range(TURNS):
            forget_orphans()

    sessions = [session_of(user) for user in (ana, ben)]
    moving = [
        lambda: registers(sessions[0], both),
        lambda: registers(sessions[1], both[::-1]),
        lambda: registers(sessions[1], both),
    ]
    at_once([*moving, lambda: signs_out(ana), lambda: signs_out(ben), dies, dies, is_swept])
    assert tokens() == PushDevice.objects.count() <= 2
    for device in PushDevice.objects.select_related("session", "apns", "fcm"):
        assert device.user_id == device.session.user_id == getattr(device, device.provider).user_id


def test_only_ones_own_are_unregistered() -> None:
    ana, ben = people("ana", "ben")
    device_of(ana, iphone("ab" * 32))
    unregister_device(user_id=ben.pk, token="ab" * 32)
    assert len(addresses()) == 1
    unregister_device(user_id=ana.pk, token="ab" * 32)
    unregister_device(user_id=ana.pk, token="ab" * 32)
    assert tokens() == PushDevice.objects.count() == 0


def test_a_dead_token_goes_but_not_the_one_that_took_its_place() -> None:
    ana = person("ana")
    session = session_of(ana)
    device_of(ana, iphone("ab" * 32), session)
    device = device_of(ana, iphone("cd" * 32), session)
    forget_dead_device(device_id=device.pk, token="ab" * 32)
    assert addresses() == {("ana", "cd" * 32)}
    forget_dead_device(device_id=device.pk, token="cd" * 32)
    assert tokens() == 0


def test_a_token_that_was_registered_again_since_it_was_dead_stays() -> None:
    session = session_of(person("ana"))
    device = device_of(session.user, iphone("ab" * 32), session)
    found_dead_at = clock.now()
    device_of(session.user, iphone("ab" * 32), session)
    forget_dead_device(device_id=device.pk, token="ab" * 32, since=found_dead_at)
    assert addresses() == {("ana", "ab" * 32)}
    forget_dead_device(device_id=device.pk, token="ab" * 32, since=clock.now())
    assert tokens() == 0


def test_tokens_of_purged_sessions_go() -> None:
    ana = person("ana")
    kept, gone = device_of(ana), device_of(ana)
    revoke_session(user_id=ana.pk, session_id=gone.session_id)
    gone.session.delete()
    assert forget_orphans() == 1
    assert PushDevice.objects.get() == kept


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (iphone("not hexadecimal"), "device_token"),
        (iphone("ab" * 101), "device_token"),
        (browser("http://push.example.org/1"), "device_token"),
        (browser("https://127.0.0.1/1"), "device_token"),
        (browser("https://[::ffff:10.0.0.1]/1"), "device_token"),
        (browser("https://push.example.org:8080/1"), "device_token"),
    ],
)
def test_tokens_that_cannot_be_right(wanted, field) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Invalid) as refusal:
        register_device(session_of(person("ana")), wanted)
    assert set(refusal.value.fields or {}) == {field}
    assert tokens() == 0


def test_keys_that_are_no_point_on_the_curve() -> None:
    wanted = browser()
    assert wanted.keys is not None
    wanted.keys.p256dh = wanted.keys.p256dh[:-4] + "AAAA"
    with pytest.raises(Invalid, match="keys"):
        register_device(session_of(person("ana")), wanted)


def test_a_provider_without_keys_is_not_supported(settings) -> None:  # type: ignore[no-untyped-def]
    import dataclasses

    settings.PROVIDERS = dataclasses.replace(settings.PROVIDERS, fcm=None)
    with pytest.raises(DomainError) as refusal:
        register_device(session_of(person("ana")), android())
    assert refusal.value.code == "not_supported"
