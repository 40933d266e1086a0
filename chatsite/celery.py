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
    # Made before there is a second thread: Celery reads its settings at the first use, and of two threads that come for
    # them together one may go on with the defaults.
    beat = EmbeddedService(app, thread=True)
    threading.Thread(target=_work, name="celery", daemon=True).start()
    beat.start()


def _work() -> None:
    # Made here and not on the event loop's thread, where Celery's fixup for Django may not close connections.
    app.WorkController(pool="threads", concurrency=2, without_gossip=True, without_mingle=True).start()
