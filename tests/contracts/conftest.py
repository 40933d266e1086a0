"""Fixtures of the contracts."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.contracts.world import World


@pytest.fixture
def world(db: None) -> "World":
    """The people around one group, in a transaction that is rolled back after the test."""
    # Not above: this file is read before Django's settings are chosen.
    from tests.contracts.world import make_world

    return make_world()
