"""Whether to push: every outcome of the pure function, and the precedence of reasons."""

import dataclasses
import datetime
from typing import Any

import pytest

from notifications.decision import Decision, Device, Level, Message, Outcome, Patience, Recipient, decide
from notifications.do_not_disturb import DoNotDisturb

NOW = datetime.datetime(2026, 3, 4, 12, 0, tzinfo=datetime.UTC)
PATIENCE = Patience(seconds_to_live=3600, active_seconds=60, active_patience_seconds=900)


def before(**span: float) -> datetime.datetime:
    return NOW - datetime.timedelta(**span)


def after(**span: float) -> datetime.datetime:
    return NOW + datetime.timedelta(**span)


def decided(
    message: dict[str, Any] | None = None, recipient: dict[str, Any] | None = None, device: dict[str, Any] | None = None
) -> Decision:
    return decide(
        dataclasses.replace(Message(sequence=7, created_at=before(seconds=2)), **message or {}),
        dataclasses.replace(Recipient(), **recipient or {}),
        dataclasses.replace(Device(), **device or {}),
        NOW,
        PATIENCE,
    )


ALL_DAY = DoNotDisturb(datetime.time(0), datetime.time(0))
# A case for each outcome, in order of precedence.
REASONS: dict[Outcome, dict[str, dict[str, Any]]] = {
    Outcome.NO_PERMISSION: {"recipient": {"is_member": False}},
    Outcome.DELETED: {"message": {"is_deleted": True}},
    Outcome.EXPIRED: {"message": {"created_at": before(seconds=3601)}},
    Outcome.TOKEN_DEAD: {"device": {"is_signed_in": False}},
    Outcome.READ: {"recipient": {"last_read_sequence": 7}},
    Outcome.BLOCKED: {"recipient": {"is_apart": True}},
    Outcome.CONVERSATION_OFF: {"message": {"conversation_notifies": False}},
    Outcome.PREFERENCE_OFF: {"recipient": {"wants_push": False}},
    Outcome.MUTED: {"recipient": {"muted_until": after(seconds=1)}},
    Outcome.MENTION_ONLY: {"recipient": {"levels": (Level.ALL, Level.MENTIONS)}},
    Outcome.DO_NOT_DISTURB: {"recipient": {"do_not_disturb": ALL_DAY}},
    Outcome.SUPERSEDED: {"device": {"has_newer": True}},
    Outcome.ACTIVE: {"recipient": {"active_at": before(seconds=59)}},
    Outcome.LATER: {"device": {"open_until": after(seconds=30)}},
    Outcome.SEND: {},
}
# The other outcomes come from answers of providers.
DECIDED = set(Outcome) - {Outcome.SENT, Outcome.REFUSED}


def test_every_decided_outcome_has_a_case() -> None:
    assert set(REASONS) == DECIDED


@pytest.mark.parametrize("outcome", REASONS, ids=str)
def test_a_single_reason_gives_its_outcome(outcome: Outcome) -> None:
    assert decided(**REASONS[outcome]).outcome is outcome


def test_the_earlier_of_two_reasons_decides() -> None:
    ordered = list(REASONS)[:-1]
    for position, first in enumerate(ordered):
        for second in ordered[position + 1 :]:
            both: dict[str, dict[str, Any]] = {}
            for reasons in (REASONS[second], REASONS[first]):
                for part, fields in reasons.items():
                    both[part] = both.get(part, {}) | fields
            if first is Outcome.NO_PERMISSION or second is not Outcome.NO_PERMISSION:
                assert decided(**both).outcome is first, (first, second)


@pytest.mark.parametrize(
    ("recipient", "outcome"),
    [
        ({"history_from": 8}, Outcome.NO_PERMISSION),
        ({"history_from": 7}, Outcome.SEND),
        ({"last_read_sequence": 6}, Outcome.SEND),
        ({"muted_until": NOW}, Outcome.SEND),
        ({"paused_until": after(seconds=1)}, Outcome.DO_NOT_DISTURB),
        ({"paused_until": NOW}, Outcome.SEND),
        ({"is_busy": True}, Outcome.DO_NOT_DISTURB),
        ({"active_at": before(seconds=60)}, Outcome.SEND),
        ({"levels": (Level.MENTIONS,), "is_mentioned": True}, Outcome.SEND),
        ({"levels": (Level.NONE, Level.ALL), "is_mentioned": True}, Outcome.PREFERENCE_OFF),
        ({"levels": (Level.MENTIONS, Level.NONE), "is_mentioned": True}, Outcome.PREFERENCE_OFF),
        ({"levels": (Level.ALL, Level.ALL)}, Outcome.SEND),
        # A mention does not override do-not-disturb or mute.
        ({"is_busy": True, "is_mentioned": True}, Outcome.DO_NOT_DISTURB),
        ({"muted_until": after(days=1), "is_mentioned": True}, Outcome.MUTED),
    ],
)
def test_each_reason_starts_and_ends_at_its_limit(recipient: dict[str, Any], outcome: Outcome) -> None:
    assert decided(recipient=recipient).outcome is outcome


def test_a_push_is_sent_when_the_breakers_time_is_over() -> None:
    assert decided(device={"open_until": NOW}).outcome is Outcome.SEND


def test_a_postponed_push_has_the_time_of_its_next_try() -> None:
    assert decided(device={"open_until": after(seconds=30)}) == Decision(Outcome.LATER, after(seconds=30))
    assert decided(recipient={"active_at": before(seconds=20)}) == Decision(Outcome.ACTIVE, after(seconds=40))


def test_active_users_delay_a_push_only_while_it_is_recent() -> None:
    active = {"active_at": before(seconds=1)}
    assert decided(message={"created_at": before(seconds=840)}, recipient=active).again_at == after(seconds=59)
    assert decided(message={"created_at": before(seconds=841)}, recipient=active) == Decision(Outcome.ACTIVE, None)


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
