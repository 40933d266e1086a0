"""One run of one workload on one server."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import ModuleType

import uvloop

from benchmarks.installation import Installation
from benchmarks.result import Result
from benchmarks.subject import Places, Subject
from benchmarks.usage import memory_kib

WORKLOADS = {"w1": "w1_latency", "w2": "w2_throughput", "w3": "w3_fan_out", "w4": "w4_memory"}
# Workloads that only our server has, in databases of their own.
OURS = {"w5": "w5_reads", "w6": "w6_herd", "push": "push", "large": "large_group"}


def workload(name: str) -> ModuleType:
    """Return the module of a workload."""
    return importlib.import_module(f"benchmarks.workloads.{(WORKLOADS | OURS)[name]}")


def run_workload(
    subject: Subject, module: ModuleType, places: Places, *, watched: AbstractContextManager[None] | None = None
) -> Result:
    """Run a workload on a server process of its own; `watched` is entered when that has started.

    :raises Invalid: the server did something wrong, or logged that it did.
    """
    subject.fresh_server()
    with _without_collections(), watched or nullcontext():
        result: Result = uvloop.run(module.run(subject, places))
    if subject.server_pid is not None:
        result.server_rss_mib = round(memory_kib(subject.server_pid, "Rss") / 1024, 1)
    subject.assert_clean_log()
    return result


def run_ours(installation: Installation, module: ModuleType) -> list[Result]:
    """Run a workload that makes its databases and servers itself.

    :raises Invalid: the server did something wrong, or logged that it did.
    """
    installation.stop_server()
    with _without_collections():
        results: list[Result] = uvloop.run(module.run(installation))
    return results


@contextmanager
def _without_collections() -> Iterator[None]:
    """Switch garbage collection off for the block: in the generator it would look like a slow server."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
