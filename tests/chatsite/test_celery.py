"""The worker inside the server process of the embedded profile."""

import threading

import pytest
from celery import Celery

from chatsite import celery


def test_the_settings_are_read_before_there_is_a_second_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Celery("fresh", set_as_current=False)
    app.config_from_object({"broker_url": "memory://", "beat_schedule_filename": "chosen"})
    read = []
    monkeypatch.setattr(threading.Thread, "start", lambda _: read.append(app.configured))
    monkeypatch.setattr(celery, "app", app)
    celery.start_embedded_worker()
    assert read == [True, True]
