"""Fixtures of the unit tests. Imports nothing of the product: it is loaded before the settings are."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

__all__ = ["limits"]


@pytest.fixture
def limits(settings: Any) -> Callable[..., None]:
    """Changes limits for one test: `limits(logins_per_account=3)`."""

    def change(**entries: float) -> None:
        settings.LIMITS = dataclasses.replace(settings.LIMITS, **entries)

    return change
