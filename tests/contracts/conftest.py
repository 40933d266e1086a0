"""Fixtures of the contracts."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.contracts.bad_input import LIMITS, Somebody
from tests.harness.servers import PROFILES, Profile, Site
from tests.harness.services import Services

# So that its assertions show the compared values, as those of test files do.
pytest.register_assert_rewrite("tests.contracts.matrix")

if TYPE_CHECKING:
    from tests.contracts.world import World


@pytest.fixture
def world(db: None) -> "World":
    """The people around one group, in a transaction that is rolled back after the test."""
    # Not at the top: this file is loaded before Django's settings are configured.
    from tests.contracts.world import make_world

    return make_world()


# --- Bad input ----------------------------------------------------------------------------


@pytest.fixture(scope="package")
def fuzzed_sites(services: Services) -> Iterator[Callable[[Profile], Site]]:
    """Starts one server per profile for bad input only; at the end each must still run and be ready."""
    started: dict[Profile, Site] = {}

    def start(profile: Profile) -> Site:
        if profile not in started:
            started[profile] = Site(profile, services, servers=1, limits=LIMITS)
            started[profile].start()
        return started[profile]

    try:
        yield start
        for site in started.values():
            site.servers[0].becomes_ready()
    finally:
        for site in started.values():
            site.stop()


@pytest.fixture(scope="package", params=PROFILES)
def fuzzed(request: pytest.FixtureRequest, fuzzed_sites: Callable[[Profile], Site]) -> Site:
    """The server of each profile: their databases differ in the values they can store."""
    return fuzzed_sites(request.param)


@pytest.fixture(scope="package")
def regular(fuzzed: Site) -> Somebody:
    """A person whose session and group no request of these tests ends."""
    return Somebody(fuzzed.servers[0].http).signs_up()


@pytest.fixture
def watched(fuzzed: Site) -> Iterator[None]:
    """Fails the test if the server logs a traceback."""
    with fuzzed.clean_logs():
        yield
