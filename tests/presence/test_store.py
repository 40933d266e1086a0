"""Presence derived from leases and chosen statuses, with the same results in memory and in Redis."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.conf import settings

from presence.store import Lease, MemoryStore, RedisStore, Shown, Store, combined
from tests.waiting import DEADLINE


@pytest.fixture
def private_redis() -> Iterator[Any]:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushall()
    yield client
    client.flushall()
    client.close()


@pytest.fixture(params=["memory", "redis"])
def store(request: pytest.FixtureRequest, private_redis: Any) -> Store:
    return MemoryStore() if request.param == "memory" else RedisStore(settings.REDIS_URL)


def lease(user: str, connection: str = "phone", status: Any = "online", lasts: float = 60) -> Lease:
    return Lease(user, connection, status, time.time() + lasts)


def status_of(store: Store, user: str = "ana") -> str | None:
    shown = store.shown([user]).get(user)
    return shown.status if shown else None


# --- The rule -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "choice", "expected"),
    [
        (["online"], {}, "online"),
        (["away", "idle"], {}, "idle"),
        (["away", "online", "idle"], {}, "online"),
        (["away"], {"status": "online"}, "away"),
        (["online"], {"status": "busy"}, "busy"),
        (["away"], {"status": "busy"}, "busy"),
        (["online"], {"status": "away"}, "away"),
        (["online"], {"status": "invisible"}, "offline"),
        ([], {}, "offline"),
        ([], {"status": "busy"}, "offline"),
    ],
    ids=str,
)
def test_the_most_active_device_counts_unless_a_status_is_chosen(
    statuses: list[Any], choice: dict[str, Any], expected: str
) -> None:
    assert combined(statuses, choice, None, 5.0).status == expected


def test_an_activity_is_shown_only_while_visibly_online() -> None:
    assert combined(["online"], {"status": "busy", "activity": "in a call"}, None, 5.0).activity == "in a call"
    for gone in (
        combined([], {"activity": "in a call"}, None, 5.0),
        combined(["online"], {"status": "invisible", "activity": "x"}, None, 5.0),
    ):
        assert gone.activity is None


def test_last_seen_is_set_on_going_offline_and_kept() -> None:
    gone = combined([], {}, Shown("online"), 5.0)
    assert gone.last_seen == 5.0
    assert combined([], {}, gone, 9.0) == gone
    assert combined(["online"], {"status": "invisible"}, gone, 9.0) == gone, "an invisible user leaves no trace"
    assert combined(["online"], {}, gone, 9.0).last_seen is None


# --- The stores ---------------------------------------------------------------------------


def test_an_unknown_user_has_no_presence(store: Store) -> None:
    assert store.shown(["ana"]) == {}
    assert store.shown([]) == store.settle([]) == {}
    assert store.expired() == set()


def test_going_online_and_offline_is_reported_once_each(store: Store) -> None:
    store.keep([lease("ana")])
    assert {user: shown.status for user, shown in store.settle(["ana"]).items()} == {"ana": "online"}
    store.keep([lease("ana")])
    assert store.settle(["ana"]) == {}, "a renewal changes nothing"
    store.keep([lease("ana", lasts=-1)])
    assert store.expired() == {"ana"}
    gone = store.settle(["ana"])["ana"]
    assert gone.status == "offline"
    assert gone.last_seen == pytest.approx(time.time(), abs=5)
    assert gone.seen_at is not None
    assert store.settle(["ana"]) == {}
    assert store.shown(["ana", "ben"]) == {"ana": gone}


def test_after_one_device_leaves_the_other_counts(store: Store) -> None:
    store.keep([lease("ana", "phone"), lease("ana", "laptop", "idle")])
    store.settle(["ana"])
    store.keep([lease("ana", "phone", lasts=-1)])
    assert store.expired() == {"ana"}
    assert store.settle(["ana"])["ana"].status == "idle"
    store.keep([lease("ana", "laptop", lasts=-1)])
    assert store.expired() == {"ana"}
    assert store.settle(["ana"])["ana"].status == "offline"


def test_an_expired_lease_does_not_count_before_it_is_cleared(store: Store) -> None:
    store.keep([lease("ana", lasts=-1), lease("ben")])
    assert store.settle(["ana", "ben"])["ana"].status == "offline"


def test_a_renewed_lease_does_not_expire(store: Store) -> None:
    store.keep([lease("ana", lasts=-1)])
    store.keep([lease("ana", lasts=60)])
    assert store.expired() == set()
    assert store.settle(["ana"])["ana"].status == "online"


def test_each_status_of_a_lease_is_reported(store: Store) -> None:
    seen = []
    for status in ("online", "idle", "away", "online"):
        store.keep([lease("ana", status=status)])
        seen += [shown.status for shown in store.settle(["ana"]).values()]
    assert seen == ["online", "idle", "away", "online"]


def test_a_chosen_status_outlives_the_connection(store: Store) -> None:
    store.keep([lease("ana")])
    store.choose("ana", "busy", "writing")
    assert store.settle(["ana"])["ana"] == Shown("busy", "writing")
    store.keep([lease("ana", lasts=-1)])
    store.expired()
    assert store.settle(["ana"])["ana"].status == "offline"
    store.keep([lease("ana", "other")])
    assert store.settle(["ana"])["ana"] == Shown("busy", "writing")
    store.choose("ana", "online", None)
    assert store.settle(["ana"])["ana"] == Shown("online")


def test_an_invisible_user_looks_offline_whatever_they_do(store: Store) -> None:
    store.keep([lease("ana")])
    store.settle(["ana"])
    store.choose("ana", "invisible", None)
    gone = store.settle(["ana"])["ana"]
    assert gone.status == "offline"
    for step in (lease("ana", "laptop"), lease("ana", status="idle"), lease("ana", lasts=-1)):
        store.keep([step])
        store.expired()
        assert store.settle(["ana"]) == {}
    assert store.shown(["ana"])["ana"] == gone


def test_each_expired_lease_is_taken_by_one_process(private_redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = [RedisStore(settings.REDIS_URL) for _ in range(4)]
    stores[0].keep([lease(f"user{number}", lasts=-1) for number in range(100)])
    together = threading.Barrier(4)
    for store in stores:
        look = store._redis.zrangebyscore

        def look_then_wait(*args: Any, look: Any = look, **kwargs: Any) -> Any:
            found = look(*args, **kwargs)
            together.wait(DEADLINE)
            return found

        monkeypatch.setattr(store._redis, "zrangebyscore", look_then_wait)
    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda store: store.expired(), stores))
    assert sum(map(len, ends)) == 100
    assert set().union(*ends) == {f"user{number}" for number in range(100)}


def test_processes_share_presence_through_redis(private_redis: Any) -> None:
    one, two = RedisStore(settings.REDIS_URL), RedisStore(settings.REDIS_URL)
    one.keep([lease("ana", "at one")])
    assert two.settle(["ana"])["ana"].status == "online"
    assert one.settle(["ana"]) == {}
    assert status_of(one) == "online"


def test_an_emptied_store_recovers_with_the_next_renewal(private_redis: Any) -> None:
    store = RedisStore(settings.REDIS_URL)
    store.keep([lease("ana")])
    store.settle(["ana"])
    private_redis.flushall()
    assert status_of(store) is None
    assert store.expired() == set()
    store.keep([lease("ana")])
    assert store.settle(["ana"])["ana"].status == "online"
    assert status_of(store) == "online"


def test_every_key_in_redis_expires(private_redis: Any) -> None:
    store = RedisStore(settings.REDIS_URL)
    store.keep([lease("ana")])
    store.choose("ana", "busy", None)
    store.settle(["ana"])
    lasting = [key for key in private_redis.keys("chatsite:presence:*") if private_redis.ttl(key) < 0]
    assert lasting == [RedisStore.EXPIRIES.encode()], "only the set whose members go with their leases"
    store.keep([lease("ana", lasts=-1)])
    store.expired()
    assert private_redis.zcard(RedisStore.EXPIRIES) == 0
    assert private_redis.hlen("chatsite:presence:leases:ana") == 0


def test_an_unreachable_redis_raises_at_once() -> None:
    store = RedisStore("redis://127.0.0.1:1/0")
    for ask in (
        store.expired,
        lambda: store.settle(["ana"]),
        lambda: store.shown(["ana"]),
        lambda: store.keep([lease("ana")]),
    ):
        with pytest.raises(redis.RedisError):
            ask()


def test_who_was_never_seen_and_is_invisible_has_no_last_seen(store: Store) -> None:
    store.choose("ana", "invisible", None)
    store.keep([lease("ana")])
    assert store.settle(["ana"]) == {"ana": Shown("offline")}
    assert store.settle(["ana"]) == {}


def test_the_store_knows_who_is_invisible(store: Store) -> None:
    store.choose("ana", "invisible", None)
    store.choose("ben", "busy", None)
    assert store.invisible(["ana", "ben", "cleo"]) == {"ana"}
    assert store.invisible([]) == set()
    store.choose("ana", "online", None)
    assert store.invisible(["ana"]) == set()
