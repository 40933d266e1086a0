"""Fixtures of the unit tests."""

import pytest

from tests.fixtures import *  # noqa: F403 - fixtures are found by name


@pytest.fixture(autouse=True)
def no_earlier_attempts() -> None:
    """Clear the attempt counters: earlier tests used the same usernames and addresses."""
    from django.core.cache import cache

    cache.clear()
