"""A peer that cannot be installed is reported as missing, with the names of its packages."""

import os

import pytest

from benchmarks.peers import packages
from tests.harness.binaries import Missing


def test_without_root_the_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Missing, match=r"Please install no-such-package\."):
        packages.debian(["no-such-package"])
