"""The Celery application, and its worker inside the server process of the embedded profile."""

import os
import threading

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

app = Celery("chatsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def start_embedded_worker() -> None:
    """Run a worker with its beat in a thread of this process; it ends with the process."""
    worker = app.Worker(pool="threads", concurrency=2, loglevel="WARNING", beat=False, quiet=True)
    threading.Thread(target=worker.start, name="celery", daemon=True).start()
