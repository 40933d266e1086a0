"""The worker embedded in the server process, and the CPU priority that a worker asks for."""

import os
import threading
import time

import pytest
from celery import Celery

from chatsite import celery


def test_settings_are_read_before_a_second_thread_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery("fresh", set_as_current=False)
    app.config_from_object({"broker_url": "memory://", "beat_schedule_filename": "chosen"})
    read = []
    monkeypatch.setattr(threading.Thread, "start", lambda _: read.append(app.configured))
    monkeypatch.setattr(celery, "app", app)
    celery.start_embedded_worker()
    assert read == [True, True]


@pytest.mark.parametrize(("refused", "attempts"), [([], 1), ([BlockingIOError] * 2, 3), ([PermissionError], 1)])
def test_a_worker_asks_again_for_low_priority_when_linux_is_busy(
    monkeypatch: pytest.MonkeyPatch, refused: list[type[OSError]], attempts: int
) -> None:
    answers, written = iter(refused), []

    class Autogroup:
        def write_text(self, text: str) -> None:
            written.append(text)
            for error in answers:
                raise error

    monkeypatch.setattr(celery, "AUTOGROUP", Autogroup())
    monkeypatch.setattr(os, "setpriority", lambda *_: None)
    monkeypatch.setattr(os, "getsid", lambda _: os.getpid())
    monkeypatch.setattr(time, "sleep", lambda _: None)
    celery._lower_priority()
    assert written == ["10"] * attempts
