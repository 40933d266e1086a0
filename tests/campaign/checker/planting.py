"""Registers faults to plant in the clean run, and returns the violations found."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.campaign.checker import Verdict, check, deleted_texts_are_gone
from tests.campaign.checker.clean_run import GROUP, clean_run, message_id
from tests.campaign.evidence import EventRow, Evidence, Membership, MessageRow, ParticipantRow
from tests.campaign.frames import Body, Frame, Participant
from tests.campaign.history import Heard, Held, History

Spoil = Callable[[Evidence], None]

# By the name of the test module that registered them.
PLANTED: dict[str, list[tuple[str, Spoil]]] = defaultdict(list)
INNOCENT: dict[str, list[Spoil]] = defaultdict(list)


def planted_fault(invariant: str) -> Callable[[Spoil], Spoil]:
    """Register a change of the clean run that must violate this invariant."""

    def register(spoil: Spoil) -> Spoil:
        PLANTED[spoil.__module__].append((invariant, spoil))
        return spoil

    return register


def valid_change(vary: Spoil) -> Spoil:
    """Register a change of the clean run that violates nothing."""
    INNOCENT[vary.__module__].append(vary)
    return vary


class PlantedFaults:
    """Base class of tests: runs the changes that its module registered."""

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        registered_by = metafunc.module.__name__
        if "spoil" in metafunc.fixturenames:
            metafunc.parametrize(("invariant", "spoil"), PLANTED[registered_by])
        else:
            metafunc.parametrize("vary", INNOCENT[registered_by])

    def test_a_planted_fault_is_found(self, invariant: str, spoil: Spoil) -> None:
        assert violations_after(spoil).get(invariant), invariant

    def test_a_history_without_violation_passes(self, vary: Spoil) -> None:
        blames = violations_after(vary)
        assert blames == {}, blames


def all_checks(evidence: Evidence) -> list[Verdict]:
    return [*check(evidence), deleted_texts_are_gone(evidence)]


def violations(evidence: Evidence) -> dict[str, list[str]]:
    """Return the violations, by invariant."""
    return {verdict.invariant: verdict.shown for verdict in all_checks(evidence) if verdict.wrong}


def violations_after(spoil: Spoil) -> dict[str, list[str]]:
    """Return the violations in the clean run after this change."""
    evidence = clean_run()
    spoil(evidence)
    return violations(evidence)


# --- Ways to spoil that several files use --------------------------------------------------------


def of(evidence: Evidence, device: str) -> History:
    return next(history for history in evidence.histories if history.device == device)


def position_of(history: History, sequence: int) -> int:
    return next(
        position
        for position, entry in enumerate(history.entries)
        if isinstance(entry, Heard) and entry.frame.sequence == sequence
    )


def heard_later(evidence: Evidence, device: str, *entries: Any) -> None:
    of(evidence, device).entries += entries


def with_row(evidence: Evidence, number: int, **changes: Any) -> None:
    rows = evidence.contents.messages
    rows[:] = [replace(each, **changes) if each.sequence == number else each for each in rows]


def cleo_is_added_again(evidence: Evidence) -> None:
    """13: Cleo is added once more, 14: a system message. All devices hear of it."""
    contents = evidence.contents
    note = Body(message_id(14), 14, "")
    added = Frame("participant_added", GROUP, 13, participant=Participant("cleo", 12, 12))
    contents.events[GROUP] += [
        EventRow(13, "participant_added", 13, user_id="cleo"),
        EventRow(14, "new_message", 14, message_id(14)),
    ]
    contents.heads[GROUP] = 14
    contents.messages.append(MessageRow(message_id(14), GROUP, 14, None, None, ""))
    contents.participants[GROUP, "cleo"] = ParticipantRow(True, 13, 12, 12)
    evidence.memberships.append(Membership(13.0, 13.2, GROUP, "cleo", True, "done"))
    of(evidence, "cleo's laptop").holds[GROUP] = Held(14, 1, {}, {"ana", "ben"})
    for name in ("ana's laptop", "ana's phone", "ben's laptop", "cleo's laptop"):
        history = of(evidence, name)
        history.entries += [Heard(13.3, 1, added), Heard(13.4, 1, Frame("new_message", GROUP, 14, message=note))]
        held = history.holds[GROUP]
        held.cursor = 14
        held.members.add("cleo")
        held.positions["cleo"] = (12, 12)
        held.messages[14] = (message_id(14), "")
