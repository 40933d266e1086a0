"""The Celery application, and its worker inside the server process of the embedded profile."""

import os
import threading

from celery import Celery
from celery.beat import EmbeddedService

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

app = Celery("chatsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def start_embedded_worker() -> None:
    """Run a worker and its beat in threads of this process; they end with the process."""
    threading.Thread(target=_work, name="celery", daemon=True).start()
    EmbeddedService(app, thread=True).start()


def _work() -> None:
    # Made here and not on the event loop's thread, where Celery's fixup for Django may not close connections.
    app.WorkController(pool="threads", concurrency=2, without_gossip=True, without_mingle=True).start()
