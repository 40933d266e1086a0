"""Whether to push: every outcome of the pure function, and the precedence of reasons."""

import dataclasses
import datetime
from typing import Any

import pytest

from conversations.models import Participant
from notifications.decision import (
    DecisionTimings,
    DeviceFacts,
    MessageFacts,
    PushDecision,
    PushOutcome,
    RecipientFacts,
    decide,
)
from notifications.do_not_disturb import DoNotDisturb

NOW = datetime.datetime(2026, 3, 4, 12, 0, tzinfo=datetime.UTC)
TIMINGS = DecisionTimings(seconds_to_live=3600, active_seconds=60, active_wait_seconds=900)


def before(**span: float) -> datetime.datetime:
    return NOW - datetime.timedelta(**span)


def after(**span: float) -> datetime.datetime:
    return NOW + datetime.timedelta(**span)


def decided(
    message: dict[str, Any] | None = None, recipient: dict[str, Any] | None = None, device: dict[str, Any] | None = None
) -> PushDecision:
    return decide(
        dataclasses.replace(MessageFacts(sequence=7, created_at=before(seconds=2)), **message or {}),
        dataclasses.replace(RecipientFacts(), **recipient or {}),
        dataclasses.replace(DeviceFacts(), **device or {}),
        NOW,
        TIMINGS,
    )


ALL_DAY = DoNotDisturb(datetime.time(0), datetime.time(0))
# A case for each outcome, in order of precedence.
REASONS: dict[PushOutcome, dict[str, dict[str, Any]]] = {
    PushOutcome.NO_PERMISSION: {"recipient": {"is_member": False}},
    PushOutcome.DELETED: {"message": {"is_deleted": True}},
    PushOutcome.EXPIRED: {"message": {"created_at": before(seconds=3601)}},
    PushOutcome.TOKEN_DEAD: {"device": {"is_signed_in": False}},
    PushOutcome.READ: {"recipient": {"last_read_sequence": 7}},
    PushOutcome.BLOCKED: {"recipient": {"is_blocked": True}},
    PushOutcome.CONVERSATION_OFF: {"message": {"conversation_notifies": False}},
    PushOutcome.PREFERENCE_OFF: {"recipient": {"wants_push": False}},
    PushOutcome.MUTED: {"recipient": {"muted_until": after(seconds=1)}},
    PushOutcome.MENTION_ONLY: {"recipient": {"levels": (Participant.Level.ALL, Participant.Level.MENTIONS)}},
    PushOutcome.DO_NOT_DISTURB: {"recipient": {"do_not_disturb": ALL_DAY}},
    PushOutcome.SUPERSEDED: {"device": {"has_newer": True}},
    PushOutcome.ACTIVE: {"recipient": {"active_at": before(seconds=59)}},
    PushOutcome.LATER: {"device": {"open_until": after(seconds=30)}},
    PushOutcome.SEND: {},
}
# The other outcomes come from answers of providers.
DECIDED = set(PushOutcome) - {PushOutcome.SENT, PushOutcome.REFUSED}


def test_every_decided_outcome_has_a_case() -> None:
    assert set(REASONS) == DECIDED


@pytest.mark.parametrize("outcome", REASONS, ids=str)
def test_a_single_reason_gives_its_outcome(outcome: PushOutcome) -> None:
    assert decided(**REASONS[outcome]).outcome is outcome


def test_the_earlier_of_two_reasons_decides() -> None:
    ordered = list(REASONS)[:-1]
    for position, first in enumerate(ordered):
        for second in ordered[position + 1 :]:
            both: dict[str, dict[str, Any]] = {}
            for reasons in (REASONS[second], REASONS[first]):
                for part, fields in reasons.items():
                    both[part] = both.get(part, {}) | fields
            if first is PushOutcome.NO_PERMISSION or second is not PushOutcome.NO_PERMISSION:
                assert decided(**both).outcome is first, (first, second)


@pytest.mark.parametrize(
    ("recipient", "outcome"),
    [
        ({"history_from": 8}, PushOutcome.NO_PERMISSION),
        ({"history_from": 7}, PushOutcome.SEND),
        ({"last_read_sequence": 6}, PushOutcome.SEND),
        ({"muted_until": NOW}, PushOutcome.SEND),
        ({"paused_until": after(seconds=1)}, PushOutcome.DO_NOT_DISTURB),
        ({"paused_until": NOW}, PushOutcome.SEND),
        ({"is_busy": True}, PushOutcome.DO_NOT_DISTURB),
        ({"active_at": before(seconds=60)}, PushOutcome.SEND),
        ({"levels": (Participant.Level.MENTIONS,), "is_mentioned": True}, PushOutcome.SEND),
        ({"levels": (Participant.Level.NONE, Participant.Level.ALL), "is_mentioned": True}, PushOutcome.PREFERENCE_OFF),
        (
            {"levels": (Participant.Level.MENTIONS, Participant.Level.NONE), "is_mentioned": True},
            PushOutcome.PREFERENCE_OFF,
        ),
        ({"levels": (Participant.Level.ALL, Participant.Level.ALL)}, PushOutcome.SEND),
        # A mention does not override do-not-disturb or mute.
        ({"is_busy": True, "is_mentioned": True}, PushOutcome.DO_NOT_DISTURB),
        ({"muted_until": after(days=1), "is_mentioned": True}, PushOutcome.MUTED),
    ],
)
def test_each_reason_starts_and_ends_at_its_limit(recipient: dict[str, Any], outcome: PushOutcome) -> None:
    assert decided(recipient=recipient).outcome is outcome


def test_a_push_is_sent_when_the_breakers_time_is_over() -> None:
    assert decided(device={"open_until": NOW}).outcome is PushOutcome.SEND


def test_a_postponed_push_has_the_time_of_its_next_try() -> None:
    assert decided(device={"open_until": after(seconds=30)}) == PushDecision(PushOutcome.LATER, after(seconds=30))
    assert decided(recipient={"active_at": before(seconds=20)}) == PushDecision(PushOutcome.ACTIVE, after(seconds=40))


def test_active_users_delay_a_push_only_while_it_is_recent() -> None:
    active = {"active_at": before(seconds=1)}
    assert decided(message={"created_at": before(seconds=840)}, recipient=active).again_at == after(seconds=59)
    assert decided(message={"created_at": before(seconds=841)}, recipient=active) == PushDecision(PushOutcome.ACTIVE)


# --- Do not disturb -----------------------------------------------------------------------

NIGHT = DoNotDisturb(datetime.time(22), datetime.time(7), time_zone="Europe/Vienna")
# Monday to Friday.
WORK = DoNotDisturb(datetime.time(9), datetime.time(17, 30), frozenset(range(5)), "America/New_York")


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("quiet", "moment", "holds"),
    [
        (DoNotDisturb(), "2026-03-04T03:00Z", False),
        (NIGHT, "2026-03-04T20:59Z", False),
        (NIGHT, "2026-03-04T21:00Z", True),
        (NIGHT, "2026-03-05T05:59Z", True),
        (NIGHT, "2026-03-05T06:00Z", False),
        # In summer Vienna is two hours ahead.
        (NIGHT, "2026-07-04T20:00Z", True),
        (NIGHT, "2026-07-04T05:00Z", False),
        (WORK, "2026-03-04T14:00Z", True),
        (WORK, "2026-03-04T13:59Z", False),
        (WORK, "2026-03-04T22:30Z", False),
        (WORK, "2026-03-07T15:00Z", False),  # a Saturday
        # A night belongs to the day on which it begins: Friday's lasts until Saturday morning, Saturday has none.
        (dataclasses.replace(NIGHT, days=frozenset({4})), "2026-03-07T05:59Z", True),
        (dataclasses.replace(NIGHT, days=frozenset({4})), "2026-03-07T22:00Z", False),
        (dataclasses.replace(NIGHT, days=frozenset({0})), "2026-03-08T23:30Z", False),
        (dataclasses.replace(NIGHT, days=frozenset({6})), "2026-03-09T05:00Z", True),
        (ALL_DAY, "2026-03-04T00:00Z", True),
        (dataclasses.replace(ALL_DAY, days=frozenset({2})), "2026-03-04T23:59Z", True),
        (dataclasses.replace(ALL_DAY, days=frozenset({2})), "2026-03-05T00:00Z", False),
    ],
)
def test_do_not_disturb_holds_at_the_given_times(quiet: DoNotDisturb, moment: str, holds: bool) -> None:
    assert quiet.holds_at(at(moment)) is holds
