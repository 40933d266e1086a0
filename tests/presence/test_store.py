"""What is shown of people, worked out from leases and choices: in memory and in Redis alike."""

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
def test_the_most_active_device_counts_unless_the_person_chose(
    statuses: list[Any], choice: dict[str, Any], expected: str
) -> None:
    assert combined(statuses, choice, None, 5.0).status == expected


def test_an_activity_is_shown_while_somebody_is_there() -> None:
    assert combined(["online"], {"status": "busy", "activity": "in a call"}, None, 5.0).activity == "in a call"
    for gone in (
        combined([], {"activity": "in a call"}, None, 5.0),
        combined(["online"], {"status": "invisible", "activity": "x"}, None, 5.0),
    ):
        assert gone.activity is None


def test_last_seen_is_when_they_went_and_stays() -> None:
    went = combined([], {}, Shown("online"), 5.0)
    assert went.last_seen == 5.0
    assert combined([], {}, went, 9.0) == went
    assert combined(["online"], {"status": "invisible"}, went, 9.0) == went, "coming back unseen leaves no trace"
    assert combined(["online"], {}, went, 9.0).last_seen is None


# --- The stores ---------------------------------------------------------------------------


def test_nothing_is_known_of_somebody_who_never_came(store: Store) -> None:
    assert store.shown(["ana"]) == {}
    assert store.shown([]) == store.settle([]) == {}
    assert store.expired() == set()


def test_who_comes_and_goes_is_told_once_each(store: Store) -> None:
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


def test_one_device_that_goes_leaves_the_other(store: Store) -> None:
    store.keep([lease("ana", "phone"), lease("ana", "laptop", "idle")])
    store.settle(["ana"])
    store.keep([lease("ana", "phone", lasts=-1)])
    assert store.expired() == {"ana"}
    assert store.settle(["ana"])["ana"].status == "idle"
    store.keep([lease("ana", "laptop", lasts=-1)])
    assert store.expired() == {"ana"}
    assert store.settle(["ana"])["ana"].status == "offline"


def test_a_lease_that_ran_out_counts_no_more_even_before_it_is_cleared(store: Store) -> None:
    store.keep([lease("ana", lasts=-1), lease("ben")])
    assert store.settle(["ana", "ben"])["ana"].status == "offline"


def test_a_renewed_lease_does_not_run_out(store: Store) -> None:
    store.keep([lease("ana", lasts=-1)])
    store.keep([lease("ana", lasts=60)])
    assert store.expired() == set()
    assert store.settle(["ana"])["ana"].status == "online"


def test_idle_away_and_back(store: Store) -> None:
    seen = []
    for status in ("online", "idle", "away", "online"):
        store.keep([lease("ana", status=status)])
        seen += [shown.status for shown in store.settle(["ana"]).values()]
    assert seen == ["online", "idle", "away", "online"]


def test_a_choice_outlives_the_connection(store: Store) -> None:
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


def test_somebody_invisible_looks_gone_from_that_moment_whatever_they_do(store: Store) -> None:
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


def test_of_several_processes_one_gets_each_end(private_redis: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = [RedisStore(settings.REDIS_URL) for _ in range(4)]
    stores[0].keep([lease(f"user{number}", lasts=-1) for number in range(100)])
    together = threading.Barrier(4)
    for store in stores:
        look = store._redis.zrangebyscore

        def all_look_first(*args: Any, look: Any = look, **kwargs: Any) -> Any:
            found = look(*args, **kwargs)
            together.wait(DEADLINE)
            return found

        monkeypatch.setattr(store._redis, "zrangebyscore", all_look_first)
    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda store: store.expired(), stores))
    assert sum(map(len, ends)) == 100
    assert set().union(*ends) == {f"user{number}" for number in range(100)}


def test_what_one_process_writes_the_other_sees(private_redis: Any) -> None:
    one, two = RedisStore(settings.REDIS_URL), RedisStore(settings.REDIS_URL)
    one.keep([lease("ana", "at one")])
    assert two.settle(["ana"])["ana"].status == "online"
    assert one.settle(["ana"]) == {}
    assert status_of(one) == "online"


def test_a_store_that_forgot_everything_learns_it_again_from_the_next_renewal(private_redis: Any) -> None:
    store = RedisStore(settings.REDIS_URL)
    store.keep([lease("ana")])
    store.settle(["ana"])
    private_redis.flushall()
    assert status_of(store) is None
    assert store.expired() == set()
    store.keep([lease("ana")])
    assert store.settle(["ana"])["ana"].status == "online"
    assert status_of(store) == "online"


def test_nothing_stays_for_ever(private_redis: Any) -> None:
    store = RedisStore(settings.REDIS_URL)
    store.keep([lease("ana")])
    store.choose("ana", "busy", None)
    store.settle(["ana"])
    lasting = [key for key in private_redis.keys("chatsite:presence:*") if private_redis.ttl(key) < 0]
    assert lasting == [RedisStore.EXPIRIES.encode()], "a set whose members go with their leases"
    store.keep([lease("ana", lasts=-1)])
    store.expired()
    assert private_redis.zcard(RedisStore.EXPIRIES) == 0
    assert private_redis.hlen("chatsite:presence:leases:ana") == 0


def test_a_redis_that_is_away_says_so_soon() -> None:
    store = RedisStore("redis://127.0.0.1:1/0")
    for ask in (
        store.expired,
        lambda: store.settle(["ana"]),
        lambda: store.shown(["ana"]),
        lambda: store.keep([lease("ana")]),
    ):
        with pytest.raises(redis.RedisError):
            ask()
