"""Fixtures of the unit tests."""

import pytest

from tests.fixtures import *  # noqa: F403 - fixtures are found by name


@pytest.fixture(autouse=True)
def no_attempts_yet() -> None:
    """Nobody tried to sign in or up so far: the tests before had people of the same names."""
    from django.core.cache import cache

    cache.clear()
