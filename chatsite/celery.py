"""The Celery application and its worker: a process of its own, or threads of the embedded profile's server."""

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

# So that a worker that can never work does not take a processor for itself.
SECONDS_TO_START_AGAIN = 1.0

CLOCK_SECONDS = 10.0

# Of 19. A push may wait some milliseconds for a processor; those who talk shall not.
NICENESS = 10
AUTOGROUP = Path("/proc/self/autogroup")

log = logging.getLogger("chatsite.worker")

app = Celery("chatsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def start_embedded_worker() -> None:
    """Run a worker and its beat in threads of this process; they end with the process."""
    # Made before there is a second thread: Celery reads its settings at the first use, and of two threads that come for
    # them together one may go on with the defaults.
    beat = _beat()
    threading.Thread(target=_work, name="celery", daemon=True).start()
    beat.start()


def work() -> int:
    """Run a worker and a beat in this process until a signal ends them; return the exit code.

    A beat in each worker: none is missed when one dies, and what several ask for is done once.
    """
    _give_way()
    clock.look_at_database()
    threading.Thread(target=_keep_looking_at_the_clock, name="clock", daemon=True).start()
    beat = _beat()
    beat.start()
    # Unlike the controller alone it ends with a signal, after the tasks that it has begun.
    worker = app.Worker(quiet=True, loglevel="WARNING", **_options())
    worker.start()
    if state.should_stop is None and state.should_terminate is None:
        # Celery gave up, as it does when a Redis dies that it had taken tasks from. This one begins anew, as a program
        # that has just been started.
        log.error("the worker ended by itself, and starts again")
        time.sleep(SECONDS_TO_START_AGAIN)
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - what this process was started with
    beat.stop()
    return int(worker.exitcode or 0)


def _give_way() -> None:
    """Let a server on the same processors go first. Threads that are started later do the same."""
    os.setpriority(os.PRIO_PROCESS, 0, max(NICENESS, os.getpriority(os.PRIO_PROCESS, 0)))
    # Linux shares its processors among sessions first (sched(7), "The autogroup feature"). A service is one; from a
    # terminal the session may be that of the server, too.
    if os.getsid(0) != os.getpid():
        return
    for _ in range(10):
        try:
            AUTOGROUP.write_text(str(NICENESS))
        except BlockingIOError:
            time.sleep(0.1)  # Linux takes one such wish in so long, and workers are started together
        except OSError:
            return  # not Linux, or not allowed
        else:
            return


def _keep_looking_at_the_clock() -> None:
    """Compare this process's clock with the database's, as servers do: leases are taken by it."""
    while True:
        time.sleep(CLOCK_SECONDS)
        try:
            clock.look_at_database()
            connection.close()
        except DatabaseError:
            pass  # it is away; the next look asks again


def _work() -> None:
    # Made here and not on the event loop's thread, where Celery's fixup for Django may not close connections.
    app.WorkController(**_options()).start()


def _beat() -> Any:
    """Return a beat in a thread. It keeps nothing in a file: several may run, and in any folder."""
    # A beat that is embedded does not look at the setting, and by itself would share a file with all others.
    return EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler)


def _options() -> dict[str, Any]:
    """Return how a worker works: in threads, which share the connections to providers and the pool to the database."""
    return {
        "pool": "threads",
        "concurrency": settings.WORKER_CONCURRENCY,
        "without_gossip": True,
        "without_mingle": True,
    }
