"""Fixtures around sites: which server processes a test talks to."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from tests.harness.people import People
from tests.harness.servers import PROFILES, Profile, Site
from tests.harness.services import Services

# Delays short enough to wait for, and rates that no test reaches by accident. Tests of the limits
# themselves start sites of their own.
LIMITS_OF_SHARED_SITES = {
    "offline_after_seconds": 1,
    "auth_seconds": 3,
    "messages_per_second": 100_000,
    "messages_burst": 100_000,
    "frames_per_second": 100_000,
    "frames_burst": 100_000,
}

__all__ = ["fragile_site", "people", "profile", "shared_sites", "site", "starts_site"]


@pytest.fixture(scope="session")
def shared_sites(services: Services) -> Iterator[Callable[[Profile], Site]]:
    """One running site per profile for all tests that leave its processes alone."""
    sites: dict[Profile, Site] = {}

    def shared(profile: Profile) -> Site:
        if profile not in sites:
            sites[profile] = Site(profile, services, limits=LIMITS_OF_SHARED_SITES)
            sites[profile].start()
        return sites[profile]

    yield shared
    for site in sites.values():
        site.stop()


@pytest.fixture(params=PROFILES)
def site(request: pytest.FixtureRequest, shared_sites: Callable[[Profile], Site]) -> Iterator[Site]:
    """The shared site of each profile; the test fails if a server logs a traceback meanwhile."""
    shared = shared_sites(request.param)
    with shared.clean_logs():
        yield shared


@pytest.fixture(params=PROFILES)
def profile(request: pytest.FixtureRequest) -> Profile:
    """Each profile, for tests that start a site of their own."""
    return cast(Profile, request.param)


@pytest.fixture
def people(site: Site) -> People:
    """Makes people on the test's site: `async with people("ana", "ben") as (ana, ben)`."""
    return People(site)


@pytest.fixture(scope="module", params=PROFILES)
def fragile_site(request: pytest.FixtureRequest, services: Services) -> Iterator[Site]:
    """A site per profile and test module, whose processes a test may kill if it starts them again."""
    site = Site(request.param, services, limits=LIMITS_OF_SHARED_SITES)
    site.start()
    yield site
    try:
        site.is_free_of_tracebacks()
    finally:
        site.stop()


@pytest.fixture
def starts_site(services: Services) -> Iterator[Callable[..., Site]]:
    """Starts sites of the test's own: `starts_site("production", limits={...})`."""
    sites: list[Site] = []

    def start(profile: Profile, **options: Any) -> Site:
        site = Site(profile, services, **options)
        sites.append(site)
        site.start()
        return site

    yield start
    try:
        for site in sites:
            site.is_free_of_tracebacks()
    finally:
        for site in sites:
            site.stop()
