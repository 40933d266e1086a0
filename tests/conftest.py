"""Starts the private services of this run before Django's settings load, and has the fixtures of all tests."""

import os
import sys
from typing import Any

import django
import pytest
from _pytest.junitxml import xml_key
from django.conf import settings
from django.db import connection
from django.test import TransactionTestCase
from xdist.scheduler import LoadFileScheduling

from tests.harness.binaries import Missing
from tests.harness.fixtures import *  # noqa: F403 - fixtures are found by name
from tests.harness.product import SETTINGS
from tests.harness.services import Services

# Written by migrations, and by no test.
UNCHANGING = {"django_content_type", "auth_permission"}
PUSHING = "tests/pushing/"
_SERVICES = pytest.StashKey[Services]()


def pytest_configure(config: pytest.Config) -> None:
    """Start PostgreSQL and Redis, unless they were passed in, and point every setting of this process at them.

    With several processes (`-n 2`) each worker starts its own; the controller starts none.
    """
    if config.getoption("numprocesses", None):
        return
    if "django.conf" in sys.modules and sys.modules["django.conf"].settings.configured:
        pytest.exit("Django's settings were loaded before the tests' services started: unset DJANGO_SETTINGS_MODULE")
    services = _given(config)
    if services is None:
        services = Services()
        try:
            services.start()
        except Missing as missing:
            pytest.exit(f"{missing}\n`make test` installs what it can.", returncode=2)
    config.stash[_SERVICES] = services
    for name in SETTINGS:
        os.environ.pop(name, None)
    os.environ.update(services.environment(), DJANGO_SETTINGS_MODULE="chatsite.settings")
    # Not earlier: the settings need the services. Not later: test modules import the product during collection.
    django.setup()
    settings.WHITENOISE_AUTOREFRESH = True  # otherwise each test client would list all static files
    TransactionTestCase._fixture_teardown = _empty_tables


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the services that this process started."""
    services = config.stash.get(_SERVICES, None)
    if services is not None and services is not _given(config):
        services.stop()


class _ByFile(LoadFileScheduling):
    """Gives each file to one process, and all files of `pushing` to one: they share a RabbitMQ, servers and workers."""

    def _split_scope(self, nodeid: str) -> str:
        return PUSHING if nodeid.startswith(PUSHING) else super()._split_scope(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Return how processes share the tests (`-n 4`)."""
    return _ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes one process longest."""
    items.sort(key=lambda item: not item.nodeid.startswith(PUSHING))


def _empty_tables(_: TransactionTestCase) -> None:
    """Empty the tables after a test that committed, once nobody writes any more.

    Django's `flush` creates the files of each table anew, and content types and permissions, which takes far longer.
    """
    existing = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [connection.ops.quote_name(table) for table in existing if table not in UNCHANGING]
    statements = [
        "BEGIN",
        f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE",
        "SET LOCAL session_replication_role = replica",  # foreign keys in any order
        *(f"DELETE FROM {table}" for table in tables),  # noqa: S608 - names only
        "COMMIT",
    ]
    with connection.cursor() as cursor:
        cursor.execute("; ".join(statements))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Note in a report (`--junit-xml`) how the run ended, for `tests.unstable`: one may have been broken off."""
    report = session.config.stash.get(xml_key, None)
    if report is not None:
        report.add_global_property("exit", int(exitstatus))


def _given(config: pytest.Config) -> Services | None:
    """Return running services that the caller of pytest passed as a plugin; None without them."""
    plugins = config.pluginmanager.get_plugins()
    return next((plugin for plugin in plugins if isinstance(plugin, Services)), None)


@pytest.fixture(scope="session")
def services(pytestconfig: pytest.Config) -> Services:
    """The private PostgreSQL and Redis of this run."""
    return pytestconfig.stash[_SERVICES]
