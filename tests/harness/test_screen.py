"""The model of screens: which push replaces another, and which is not shown."""

from typing import Any

from tests.harness.providers.received import Received
from tests.harness.providers.screen import Screen, visible


def received(number: int, payload: Any, *, token: str = "t", delivered: bool = True, **headers: str) -> Received:
    return Received(
        number=number, at=0, listener=0, method="POST", path="/", token=token, payload=payload, id=str(number),
        headers={name.replace("_", "-"): value for name, value in headers.items()}, status=200, reason="",
        how="answered", delivered=delivered, mistakes=(),
    )  # fmt: skip


def shown(screen: Screen) -> list[tuple[str | None, int]]:
    return [(notification.body, len(notification.pushes)) for notification in screen.shown]


def aps(body: str | None, badge: int | None = None) -> dict[str, Any]:
    found = {"alert": {"body": body} if body else None, "badge": badge}
    return {"aps": {name: value for name, value in found.items() if value is not None}}


def fcm(body: str | None, tag: str | None = None, **data: str) -> dict[str, Any]:
    notification = {name: value for name, value in {"body": body, "tag": tag}.items() if value is not None}
    android = {"android": {"notification": notification}} if notification else {}
    return {"message": {"token": "t", "data": data, **android}}


def test_apns_shows_one_per_collapse_id_and_the_last_badge() -> None:
    pushes = [
        received(1, aps("first", 1), apns_collapse_id="a"),
        received(2, aps("other", 2), apns_collapse_id="b"),
        received(3, aps("first again"), apns_collapse_id="a"),
        received(4, aps(None, 5)),
        received(5, {"aps": {"content-available": 1}}, apns_push_type="background"),
        received(6, aps("lost", 9), delivered=False),
    ]
    screen = visible(pushes)["t"]
    assert shown(screen) == [("other", 1), ("first again", 2)]
    assert screen.badge == 5
    assert [record.number for record in screen.silent] == [4, 5]


def test_without_a_collapse_id_each_push_is_shown() -> None:
    assert shown(visible([received(1, aps("same")), received(2, aps("same"))])["t"]) == [("same", 1), ("same", 1)]


def test_texts_of_the_app_are_shown_by_their_names() -> None:
    payload = {"aps": {"alert": {"loc-key": "NEW_MESSAGE", "title-loc-key": "CHAT"}}}
    [notification] = visible([received(1, payload)])["t"].shown
    assert (notification.title, notification.body) == ("CHAT", "NEW_MESSAGE")


def test_each_device_has_a_screen() -> None:
    screens = visible([received(1, aps("a"), token="one"), received(2, aps("a"), token="two")])
    assert sorted(screens) == ["one", "two"]


def test_fcm_shows_one_per_tag_and_no_data_message() -> None:
    pushes = [
        received(1, fcm("first", "a", badge="1")),
        received(2, fcm("again", "a", badge="2")),
        received(3, fcm(None, badge="0")),
    ]
    screen = visible(pushes)["t"]
    assert shown(screen) == [("again", 2)]
    assert screen.badge == 0


def test_web_push_shows_one_per_tag_or_topic() -> None:
    text = {"kind": "message", "badge": "4", "body": "hi"}
    pushes = [
        received(1, text, topic="a"),
        received(2, text, topic="a"),
        received(3, text | {"tag": "b"}, topic="a"),
        received(4, {"kind": "sync", "badge": "5"}),
    ]
    screen = visible(pushes)["t"]
    assert shown(screen) == [("hi", 2), ("hi", 1)]
    assert screen.badge == 5
    by_kind = visible(pushes, web_tag=lambda record: record.payload["kind"])["t"]
    assert shown(by_kind) == [("hi", 3)]
