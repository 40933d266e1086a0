"""The Celery application and its worker: a process of its own or, embedded, threads of the server."""

import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.worker import state
from django.conf import settings
from django.db import DatabaseError, connection

from realtime.database import clock

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chatsite.settings")

# A pause before a failed worker starts again, so that one that always fails does not use up a processor.
SECONDS_TO_START_AGAIN = 1.0

CLOCK_SECONDS = 10.0

AUTOGROUP = Path("/proc/self/autogroup")

log = logging.getLogger("chatsite.worker")

app = Celery("chatsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def start_embedded_worker() -> None:
    """Run a worker and its beat in threads of this process; they end with the process."""
    # Celery reads its settings at the first use. Two threads that do so at once may leave one with the defaults, so the
    # beat is made before the second thread starts.
    beat = _beat()
    threading.Thread(target=_work, name="celery", daemon=True).start()
    beat.start()


def work() -> int:
    """Run a worker and a beat in this process until a signal ends them; return the exit code.

    Each worker has a beat: none is missed when a worker dies, and a task that several beats ask for is done once.
    """
    _lower_priority()
    clock.compare_with_database()
    threading.Thread(target=_follow_database_clock, name="clock", daemon=True).start()
    beat = _beat()
    beat.start()
    # Unlike the controller alone, it finishes its tasks and ends on a signal.
    worker = app.Worker(quiet=True, loglevel="WARNING", **_options())
    worker.start()
    if state.should_stop is None and state.should_terminate is None:
        # Celery gave up, as it does when the Redis dies that it took tasks from. Start the program again.
        log.error("the worker ended by itself and starts again")
        time.sleep(SECONDS_TO_START_AGAIN)
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the command of this process
    beat.stop()
    return int(worker.exitcode or 0)


def _lower_priority() -> None:
    """Lower the priority, so that a server on the same processors runs first. Later threads inherit it."""
    os.setpriority(os.PRIO_PROCESS, 0, max(settings.WORKER_NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    # Linux shares its processors among sessions first (sched(7), "The autogroup feature"). A service has its own
    # session; started from a terminal, the session may also be the server's.
    if os.getsid(0) != os.getpid():
        return
    for _ in range(10):
        try:
            AUTOGROUP.write_text(str(settings.WORKER_NICENESS))
        except BlockingIOError:
            time.sleep(0.1)  # Linux takes one change in 0.1 s, and workers are started together
        except OSError:
            return  # not Linux, or not allowed
        else:
            return


def _follow_database_clock() -> None:
    """Compare this process's clock with the database's, as servers do: leases depend on it."""
    while True:
        time.sleep(CLOCK_SECONDS)
        try:
            clock.compare_with_database()
            connection.close()
        except DatabaseError:
            pass  # the database is away; the next look asks again


def _work() -> None:
    # Made in this thread: on that of the event loop Celery's fixup for Django may not close connections.
    app.WorkController(**_options()).start()


def _beat() -> Any:
    """Return a beat in a thread. It keeps no file, so several may run in any folder."""
    # An embedded beat ignores the setting, and its default scheduler shares a file with all others.
    return EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)


def _options() -> dict[str, Any]:
    """Return the worker's options: threads, which share connections to providers and the database's pool."""
    return {
        "pool": "threads",
        "concurrency": settings.WORKER_CONCURRENCY,
        "without_gossip": True,
        "without_mingle": True,
    }
