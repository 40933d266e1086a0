"""Settings of the stores with their reasons: database, channel layer, cache, broker."""

from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

Options = dict[str, Any]

SQLITE = {
    # In SQLite a reader that becomes a writer cannot wait for the lock; a transaction that begins as a writer can.
    "transaction_mode": "IMMEDIATE",
    "timeout": 10,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; "
    # Deleted content is overwritten in the file.
    "PRAGMA secure_delete=ON;",
}


# Milliseconds. A worker also deletes old records, so its statements may take longer. Neither may hold locks for long.
TIMEOUTS = {
    "server": " -c statement_timeout=2000 -c lock_timeout=1000 -c idle_in_transaction_session_timeout=5000",
    "worker": " -c statement_timeout=30000 -c lock_timeout=5000 -c idle_in_transaction_session_timeout=15000",
}


def database(url: str, *, role: str, pool_size: int) -> Options:
    """Return the entry of DATABASES. Only servers and workers bound their statements and keep a pool.

    :raises ImproperlyConfigured: the URL is neither PostgreSQL's nor SQLite's.
    """
    entry: Options = environ.Env.db_url_config(url)
    if "sqlite" in entry["ENGINE"]:
        entry["OPTIONS"] = SQLITE
    elif "postgresql" in entry["ENGINE"]:
        entry["ENGINE"] = "chatsite.postgresql"
        entry["OPTIONS"] = _postgresql(role, pool_size)
    else:
        raise ImproperlyConfigured("DATABASE_URL is neither a PostgreSQL nor an SQLite URL")
    entry["CONN_MAX_AGE"] = 0
    return entry


def _postgresql(role: str, pool_size: int) -> Options:
    # Every statement looks up a few rows by an index, in tables of any size. PostgreSQL's defaults suit spinning disks:
    # they prefer to read whole tables, and compile statements that look expensive.
    planner = " -c random_page_cost=1.1 -c jit=off"
    options: Options = {
        "options": f"-c synchronous_commit=on{planner}{TIMEOUTS.get(role, '')}",
        # The hot statements have fixed texts, so they are parsed once per connection.
        "server_side_binding": True,
        "prepare_threshold": 5,
        "connect_timeout": 3,
        # Servers end transactions that other servers abandoned (`realtime.database.abandoned`); commands may take long.
        "application_name": "chatsite" if role == "server" else f"chatsite {role}",
    }
    if role in TIMEOUTS:
        options["pool"] = {"min_size": 2, "max_size": pool_size, "timeout": 3}
    return options


def channel_layer(redis_url: str) -> Options:
    """Return the entry of CHANNEL_LAYERS: Redis, or this process alone."""
    if not redis_url:
        return {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    host = {
        "address": redis_url,
        # With its default of 3, redis-py formats every message for a debug log that is off.
        "protocol": 2,
        # redis-py's default of 5 s would disconnect an idle subscriber.
        "socket_timeout": None,
        "socket_connect_timeout": 1,
    }
    return {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [host], "prefix": "chatsite"},
    }


def cache(redis_url: str) -> Options:
    """Return the entry of CACHES: Redis, or this process alone."""
    if not redis_url:
        return {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            # Above it entries are dropped at random, also the counters of sign-in attempts.
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    return {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": redis_url,
        "KEY_PREFIX": "chatsite",
        "OPTIONS": {"socket_timeout": 1, "socket_connect_timeout": 1},
    }


def broker_options(url: str) -> Options:
    """Return the transport options of Celery for a broker's URL."""
    if url.startswith("memory:"):
        return {"polling_interval": 0.02}
    if url.startswith("redis"):
        # A task that a worker took and never acknowledged goes to another worker after `visibility_timeout` seconds.
        return {"visibility_timeout": 300, "socket_connect_timeout": 2, "socket_timeout": 10}
    # A task counts as published only once the broker confirms it. Without time-outs a publisher on a silent connection
    # would wait for ever.
    return {"confirm_publish": True, "read_timeout": 5, "write_timeout": 5}
