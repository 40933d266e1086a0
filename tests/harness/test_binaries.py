"""What is missing is named, and nothing is installed behind the back of somebody who is not root."""

import os
import shutil

import pytest

from tests.harness import binaries


def test_everything_that_the_tests_need_is_here() -> None:
    binaries.prepare(["postgresql", "redis"])


def test_somebody_who_is_not_root_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(binaries.Missing, match=r"Please install Redis .* and Chromium"):
        binaries.prepare(["redis", "chromium"])


def test_root_without_apt_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(binaries.Missing, match="Please install Redis"):
        binaries.prepare(["redis"])


def test_root_with_apt_installs_what_is_missing_and_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    installed: list[str] = []
    monkeypatch.setattr(
        shutil, "which", lambda name: f"/bin/{name}" if name == "apt-get" or "redis-server" in installed else None
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(binaries, "_install", installed.extend)
    binaries.prepare(["redis"])
    assert installed == ["redis-server"]


def test_an_installation_that_brings_nothing_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: "/bin/apt-get" if name == "apt-get" else None)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(binaries, "_install", lambda _: None)
    with pytest.raises(binaries.Missing):
        binaries.prepare(["redis"])
