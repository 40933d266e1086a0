"""Starts the private services of this run before Django's settings load, and has the fixtures of all tests."""

import os
import sys

import django
import pytest

from tests.harness.binaries import Missing
from tests.harness.fixtures import *  # noqa: F403 - fixtures are found by name
from tests.harness.product import SETTINGS
from tests.harness.services import Services

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


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the services that this process started."""
    services = config.stash.get(_SERVICES, None)
    if services is not None and services is not _given(config):
        services.stop()


def _given(config: pytest.Config) -> Services | None:
    """Return running services that the caller of pytest passed as a plugin; None without them."""
    plugins = config.pluginmanager.get_plugins()
    return next((plugin for plugin in plugins if isinstance(plugin, Services)), None)


@pytest.fixture(scope="session")
def services(pytestconfig: pytest.Config) -> Services:
    """The private PostgreSQL and Redis of this run."""
    return pytestconfig.stash[_SERVICES]
