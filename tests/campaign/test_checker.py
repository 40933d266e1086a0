"""The checker finds every fault that is planted, under its invariant, and none in a clean run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.campaign.checker import CHECKS, Verdict, check, deleted_texts_are_gone
from tests.campaign.clean_run import GROUP, SENT, body, clean_run, client_id, event_row, heard, message_id, row
from tests.campaign.evidence import (
    Acked,
    Closed,
    Connected,
    Evidence,
    Frame,
    Heard,
    History,
    Loaded,
    MoveRow,
    Peek,
    PlaceRow,
    Refused,
    Sent,
    Snapshot,
    SyncAsked,
    Synced,
    SyncRefused,
)

PLANTED: list[tuple[str, Callable[[Evidence], None]]] = []


def plants(invariant: str) -> Callable[[Callable[[Evidence], None]], Callable[[Evidence], None]]:
    """Note a way to spoil the clean run, and the invariant under which that must be found."""

    def note(spoil: Callable[[Evidence], None]) -> Callable[[Evidence], None]:
        PLANTED.append((invariant, spoil))
        return spoil

    return note


def all_checks(evidence: Evidence) -> list[Verdict]:
    return [*check(evidence), deleted_texts_are_gone(evidence)]


def of(evidence: Evidence, device: str) -> History:
    return next(history for history in evidence.histories if history.device == device)


def without_message(evidence: Evidence, sequence: int) -> None:
    evidence.contents.messages = [each for each in evidence.contents.messages if each.sequence != sequence]


def with_row(evidence: Evidence, number: int, **changes: Any) -> None:
    rows = evidence.contents.messages
    rows[:] = [replace(each, **changes) if each.sequence == number else each for each in rows]


def heard_later(evidence: Evidence, device: str, *entries: Any) -> None:
    of(evidence, device).entries += entries


def position_of(history: History, sequence: int) -> int:
    return next(
        position
        for position, entry in enumerate(history.entries)
        if isinstance(entry, Heard) and entry.frame.sequence == sequence
    )


# --- I1 to I3 ------------------------------------------------------------------------------------


@plants("I1")
def an_acknowledged_message_is_lost(evidence: Evidence) -> None:
    without_message(evidence, 7)


@plants("I1")
def a_message_is_stored_under_another_number(evidence: Evidence) -> None:
    with_row(evidence, 7, sequence=6)


@plants("I1")
def a_message_is_stored_with_another_text(evidence: Evidence) -> None:
    with_row(evidence, 7, text="tree")


@plants("I1")
def an_edit_that_was_confirmed_is_lost(evidence: Evidence) -> None:
    with_row(evidence, 4, text="two")


@plants("I1")
def a_message_is_stored_for_another_sender(evidence: Evidence) -> None:
    with_row(evidence, 7, sender_id="ana")


@plants("I2")
def a_message_is_stored_that_nobody_sent(evidence: Evidence) -> None:
    evidence.contents.messages.append(replace(row(7), id="ghost", client_message_id="of nobody"))


@plants("I2")
def a_message_is_stored_although_it_was_refused(evidence: Evidence) -> None:
    heard_later(evidence, "ben's laptop", Refused(7.3, client_id(7), "forbidden"))


@plants("I2")
def a_deleted_text_is_still_stored(evidence: Evidence) -> None:
    with_row(evidence, 3, text="one")


@plants("I3")
def a_message_is_stored_twice(evidence: Evidence) -> None:
    evidence.contents.messages.append(replace(row(7), id="once more", sequence=8))


@plants("I3")
def two_acks_disagree_about_the_number(evidence: Evidence) -> None:
    heard_later(evidence, "ben's laptop", Acked(13.2, client_id(7), GROUP, message_id(7), 8, True))


@plants("I3")
def two_acks_disagree_about_the_message(evidence: Evidence) -> None:
    heard_later(evidence, "ben's laptop", Acked(13.2, client_id(7), GROUP, message_id(12), 7, True))


@plants("I3")
def a_repetition_is_acknowledged_as_new(evidence: Evidence) -> None:
    heard_later(evidence, "ben's laptop", Acked(13.2, client_id(7), GROUP, message_id(7), 7, False))


# --- I4 and I5 -----------------------------------------------------------------------------------


@plants("I4")
def the_log_has_a_gap(evidence: Evidence) -> None:
    del evidence.contents.events[GROUP][6]


@plants("I4")
def a_number_is_taken_twice(evidence: Evidence) -> None:
    evidence.contents.events[GROUP].insert(7, event_row(7))


@plants("I4")
def the_head_is_behind_its_log(evidence: Evidence) -> None:
    evidence.contents.heads[GROUP] = 11


@plants("I4")
def a_reader_saw_a_number_before_a_lower_one(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(8.0, GROUP, 8, 7, 8))


@plants("I4")
def a_reader_did_not_see_what_was_acknowledged(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(9.0, GROUP, 6, 6, 6))


@plants("I4")
def the_products_own_check_finds_something(evidence: Evidence) -> None:
    evidence.integrity_faults.append("conversation group: counts 4 messages, has 5")


@plants("I5")
def two_events_are_swapped_on_a_socket(evidence: Evidence) -> None:
    entries = of(evidence, "ana's phone").entries
    at = position_of(of(evidence, "ana's phone"), 7)
    entries[at], entries[at + 1] = entries[at + 1], entries[at]


@plants("I5")
def two_devices_see_different_messages_at_a_number(evidence: Evidence) -> None:
    history = of(evidence, "ana's phone")
    other = Frame("new_message", GROUP, 7, message=msgspec.structs.replace(body(12), sequence=7))
    history.entries[position_of(history, 7)] = Heard(7.5, 1, other)


@plants("I5")
def an_event_is_heard_that_is_in_no_log(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Heard(13.2, 1, Frame("new_message", GROUP, 13, message=body(13))))


@plants("I5")
def a_sender_s_second_message_gets_the_lower_number(evidence: Evidence) -> None:
    history = of(evidence, "ben's laptop")
    twelfth = [entry for entry in history.entries if isinstance(entry, Acked) and entry.sequence == 12]
    history.entries.remove(twelfth[0])
    seventh = next(
        position for position, entry in enumerate(history.entries) if isinstance(entry, Sent) and entry.text == "three"
    )
    history.entries[seventh:seventh] = [
        Sent(6.0, 1, GROUP, client_id(12), "four"),
        Acked(6.1, client_id(12), GROUP, message_id(12), 12, False),
    ]


# --- I6 and I10 ----------------------------------------------------------------------------------


@plants("I6")
def a_device_lacks_a_message_after_its_sync(evidence: Evidence) -> None:
    del of(evidence, "ana's phone").holds[GROUP].messages[7]


@plants("I6")
def a_device_holds_an_old_text(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].messages[4] = (message_id(4), "two")


@plants("I6")
def a_device_holds_a_message_too_many(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].messages[13] = ("ghost", "five")


@plants("I6")
def a_device_is_behind_at_the_end(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].cursor = 11


@plants("I6")
def a_sync_completes_without_the_last_event(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", SyncAsked(13.2, 1, {GROUP: 11}), Synced(13.3, 1, {GROUP: 12}, [], {GROUP: 11}))


@plants("I6")
def a_device_does_not_know_a_conversation(evidence: Evidence) -> None:
    del of(evidence, "ana's phone").holds[GROUP]


@plants("I6")
def a_former_member_still_holds_the_conversation(evidence: Evidence) -> None:
    cleo = of(evidence, "cleo's laptop")
    cleo.holds[GROUP] = of(evidence, "ana's phone").holds[GROUP]


@plants("I10")
def a_device_did_not_hear_that_somebody_left(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].members.add("cleo")


@plants("I10")
def a_device_did_not_hear_of_a_receipt(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].marks["ben"] = (7, 0)


# --- I8, I9, I12 ---------------------------------------------------------------------------------


@plants("I8")
def a_frame_reaches_a_former_member(evidence: Evidence) -> None:
    heard_later(evidence, "cleo's laptop", heard(12))


@plants("I8")
def a_frame_reaches_a_stranger(evidence: Evidence) -> None:
    evidence.histories.append(History("dan's laptop", "dan", [heard(7)]))


@plants("I8")
def a_receipt_reaches_a_former_member(evidence: Evidence) -> None:
    heard_later(
        evidence, "cleo's laptop", Heard(12.0, 1, Frame("message_read", GROUP, up_to_sequence=4, reader_id="ana"))
    )


@plants("I8")
def typing_reaches_a_stranger(evidence: Evidence) -> None:
    evidence.histories.append(History("dan's laptop", "dan", [Heard(7.0, 1, Frame("typing", GROUP, user_id="ana"))]))


@plants("I8")
def a_newcomer_hears_an_event_from_before_joining(evidence: Evidence) -> None:
    of(evidence, "cleo's laptop").entries.insert(1, heard(4))


@plants("I8")
def a_newcomer_hears_the_text_of_a_message_from_before(evidence: Evidence) -> None:
    history = of(evidence, "cleo's laptop")
    history.entries[position_of(history, 8)] = heard(8)


@plants("I8")
def a_deleted_text_comes_back_after_its_deletion(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Closed(13.2, 1, None), Connected(13.3, 2, 0), heard(3, at=13.4, socket=2))


@plants("I8")
def a_deleted_text_is_in_a_catch_up(evidence: Evidence) -> None:
    history = History(
        "ana's tablet",
        "ana",
        [Connected(9.6, 1, 0), SyncAsked(9.7, 1, {GROUP: 2}), heard(3, at=9.8), Synced(9.9, 1, {}, [], {})],
        settled=False,
    )
    evidence.histories.append(history)


@plants("I8")
def a_deleted_text_is_in_what_is_loaded(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Loaded(13.2, 13.3, GROUP, 12, {message_id(3): "one"}))


@plants("I8")
def an_old_text_is_in_a_tombstone(evidence: Evidence) -> None:
    history = of(evidence, "ana's phone")
    spoiled = Frame("message_deleted", GROUP, 9, message=body(3, "one", deleted=True))
    history.entries[position_of(history, 9)] = Heard(9.5, 1, spoiled)


@plants("I8")
def a_former_member_reads_over_rest(evidence: Evidence) -> None:
    evidence.peeks.append(Peek(11.3, 11.4, "cleo", GROUP, "/messages", 200, ("four",)))


@plants("I8")
def a_stranger_may_know_that_it_exists(evidence: Evidence) -> None:
    evidence.peeks.append(Peek(11.3, 11.4, "dan", GROUP, "/events", 403))


@plants("I9")
def a_revoked_device_goes_on_hearing(evidence: Evidence) -> None:
    heard_later(evidence, "cleo's laptop", Heard(14.0, 1, Frame("presence", user_id="ana")))


@plants("I12")
def a_deleted_text_is_still_in_a_log(evidence: Evidence) -> None:
    evidence.found_texts["one"] = "server-1.log"


# --- I11 -----------------------------------------------------------------------------------------


@plants("I11")
def a_mark_goes_back(evidence: Evidence) -> None:
    evidence.contents.moves.append(MoveRow(GROUP, "ben", "delivered", 4, 7))


@plants("I11")
def a_mark_passes_the_head(evidence: Evidence) -> None:
    evidence.contents.moves.append(MoveRow(GROUP, "ben", "delivered", 12, 13))


@plants("I11")
def a_place_forgets_a_mark(evidence: Evidence) -> None:
    evidence.contents.places[GROUP, "ben"] = PlaceRow(True, 1, 7, 0)


@plants("I11")
def a_stranger_has_a_mark(evidence: Evidence) -> None:
    evidence.contents.moves.append(MoveRow(GROUP, "dan", "read", 0, 4))


@plants("I11")
def a_reader_saw_a_mark_go_back(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(12.96, GROUP, 12, 12, 12, (("ana", 4, 2), ("ben", 12, 0))))


@plants("I11")
def a_receipt_is_told_that_is_not_kept(evidence: Evidence) -> None:
    heard_later(
        evidence, "ana's phone", Heard(13.0, 1, Frame("message_read", GROUP, up_to_sequence=7, reader_id="ben"))
    )


# --- The tests -----------------------------------------------------------------------------------


def test_a_clean_run_has_no_violations_and_every_check_looked_at_something() -> None:
    for verdict in all_checks(clean_run()):
        assert verdict.shown == []
        assert verdict.wrong == 0
        assert verdict.checked > 0, f"{verdict.invariant} looked at nothing"


@pytest.mark.parametrize(("invariant", "spoil"), PLANTED, ids=[spoil.__name__ for _, spoil in PLANTED])
def test_a_planted_fault_is_found(invariant: str, spoil: Callable[[Evidence], None]) -> None:
    evidence = clean_run()
    spoil(evidence)
    found = {verdict.invariant: verdict for verdict in all_checks(evidence) if verdict.wrong}
    assert invariant in found, f"not found; others: {found}"
    assert found[invariant].shown


def test_every_check_has_faults_planted_for_it() -> None:
    assert {invariant for invariant, _ in PLANTED} == {verdict.invariant for verdict in all_checks(clean_run())}
    assert len(CHECKS) + 1 == len({verdict.invariant for verdict in all_checks(clean_run())})


def test_what_the_network_may_do_is_no_violation() -> None:
    """A send repeated on a new socket, a lost ack, events that come again after a sync, an outcome nobody knows."""
    evidence = clean_run()
    ben = of(evidence, "ben's laptop")
    ben.entries += [
        Closed(13.2, 1, None),
        Connected(13.3, 2, 1),
        SyncAsked(13.4, 2, {GROUP: 7}),
        *(heard(sequence, at=13.5, socket=2) for sequence in range(8, 13)),
        Synced(13.6, 2, {GROUP: 12}, [], {GROUP: 12}),
        SyncAsked(13.601, 2, {GROUP: 9}),
        SyncRefused(13.602, 2),
        # A sync that was not answered in time is asked for again, and both are answered.
        SyncAsked(13.61, 2, {GROUP: 10}),
        SyncAsked(13.62, 2, {GROUP: 10}),
        *(heard(sequence, at=13.63, socket=2) for sequence in (11, 12)),
        Synced(13.64, 2, {GROUP: 12}, [], {GROUP: 12}),
        *(heard(sequence, at=13.65, socket=2) for sequence in (11, 12)),
        Synced(13.66, 2, {GROUP: 12}, [], {GROUP: 12}),
        heard(11, at=13.67, socket=2),  # late, once more
        heard(7, at=13.68, socket=2),  # a process that lags behind tells what this device had when it came
        Sent(13.7, 2, GROUP, client_id(12), SENT[12][1]),
        Acked(13.8, client_id(12), GROUP, message_id(12), 12, True),
        Sent(13.9, 2, GROUP, client_id(99), "never answered"),
        Refused(13.95, client_id(12), "try_again"),
    ]
    assert [verdict.shown for verdict in all_checks(evidence) if verdict.wrong] == []


def test_a_verdict_shows_the_first_of_many_and_counts_all() -> None:
    evidence = clean_run()
    evidence.integrity_faults += [f"fault {number}" for number in range(500)]
    (verdict,) = [verdict for verdict in all_checks(evidence) if verdict.wrong]
    assert verdict.wrong == 500
    assert len(verdict.shown) == 20
    verdict.add(verdict)
    assert verdict.wrong == 1000
    assert len(verdict.shown) == 20
