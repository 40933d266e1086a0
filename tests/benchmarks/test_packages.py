"""A peer that cannot be installed is reported as missing, by the names of its packages."""

import os

import pytest

from benchmarks.peers import packages
from tests.harness.binaries import Missing


def test_somebody_who_is_not_root_is_told_which_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(Missing, match=r"Please install no-such-package\."):
        packages.debian(["no-such-package"])
