"""The servers that are compared, their order, and their results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from benchmarks import report
from benchmarks.installation import Installation
from benchmarks.peers.ejabberd import Ejabberd, EjabberdAtItsBest
from benchmarks.peers.prosody import Prosody, ProsodyFiles
from benchmarks.peers.server import PeerServer
from benchmarks.peers.synapse import Synapse
from benchmarks.peers.tutorial import TutorialDaphne, TutorialUvicorn
from benchmarks.report import NOISE
from benchmarks.result import Result
from benchmarks.subject import Subject

COMPARED = ("w1", "w2", "w3", "w4")
CHATSITE, REFERENCE = "chatsite", "ejabberd"
# Synapse cannot take 50 messages a second in a room, and needs seconds for a message to 500.
FEWER = {"w1": {"WARM_UP": 10, "MESSAGES": 60, "SPACING": 0.1}, "w3": {"WARM_UP": 2, "MESSAGES": 10}}
# Enough to show that everything works, too little for a measurement.
BRIEF: dict[str, dict[str, Any]] = {
    "w1": {"WARM_UP": 2, "MESSAGES": 10, "SPACING": 0.1},
    "w2": {"PAIRS": 3, "SIZES": [2] * 3, "SECONDS": 1.0, "WARM_UP_SECONDS": 0.2},
    "w3": {"RECEIVERS": 12, "SIZES": [13], "MESSAGES": 3, "WARM_UP": 2},
    "w4": {"CONNECTIONS": 40, "SIZES": [2] * 20, "WARM_UP": 4, "IDLE_SECONDS": 0.5},
}


@dataclass(frozen=True, slots=True)
class Contender:
    """A server to compare.

    `versions` installs what is missing and raises `Missing` if it cannot. `twice`: measured at the beginning and the
    end of the run, to show how the machine changed meanwhile. `changes`: constants of workloads that differ for it.
    """

    name: str  # on the command line
    title: str  # in the table
    versions: Callable[[], dict[str, str]]
    make: Callable[[], Subject]
    twice: bool = False
    leaves_out: tuple[str, ...] = ()
    changes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """The results of a contender, or the reason why there are none."""

    contender: Contender
    versions: dict[str, str] = field(default_factory=dict)
    missing: str = ""
    results: dict[str, list[Result]] = field(default_factory=dict)
    invalid: dict[str, str] = field(default_factory=dict)

    def counted(self, workload: str) -> list[Result]:
        """Return the runs that count: those with few strangers, or all if there is none; none if one was invalid."""
        results = [] if workload in self.invalid else self.results.get(workload, [])
        return [result for result in results if result.shares.get("strangers", 0.0) <= NOISE] or results

    def value(self, workload: str) -> float | None:
        """Return the mean of the headline figure; None if no run counts."""
        results = self.counted(workload)
        return fmean(result.value for result in results) if results else None

    def share(self, workload: str, name: str) -> float:
        """Return the greatest share of one core that this process used; 0 if no run counts."""
        return max((result.shares.get(name, 0.0) for result in self.counted(workload)), default=0.0)


def _peer(name: str, kind: type[PeerServer], **more: object) -> Contender:
    return Contender(name, kind.title, kind.versions, kind, **more)


CONTENDERS = {
    contender.name: contender
    for contender in (
        Contender(CHATSITE, "Chatsite", report.versions, Installation, twice=True),
        _peer(REFERENCE, Ejabberd, twice=True),
        _peer("ejabberd-best", EjabberdAtItsBest, leaves_out=("w4",)),
        _peer("tutorial-daphne", TutorialDaphne),
        _peer("tutorial-uvicorn", TutorialUvicorn),
        _peer("prosody", Prosody),
        _peer("prosody-files", ProsodyFiles),
        _peer("synapse", Synapse, changes=FEWER),
    )
}


def in_order(contenders: Sequence[Contender]) -> list[Contender]:
    """Return the order of the measurements: all contenders, then those measured twice, in reverse order."""
    return [*contenders, *(contender for contender in reversed(contenders) if contender.twice)]
