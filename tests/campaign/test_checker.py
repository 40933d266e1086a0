"""The checker finds every fault that is planted, under its invariant, and none in a clean run."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.campaign.checker import CHECKS, Verdict, check, deleted_texts_are_gone
from tests.campaign.checker.windows import FOREVER, Window, window_at, windows_of
from tests.campaign.clean_run import GROUP, SENT, body, clean_run, client_id, event_row, heard, message_id, row
from tests.campaign.evidence import (
    Acked,
    Body,
    Change,
    Closed,
    Connected,
    EventRow,
    Evidence,
    Frame,
    Heard,
    Held,
    History,
    Loaded,
    Membership,
    MessageRow,
    MoveRow,
    Participant,
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
INNOCENT: list[Callable[[Evidence], None]] = []


def plants(invariant: str) -> Callable[[Callable[[Evidence], None]], Callable[[Evidence], None]]:
    """Note a way to spoil the clean run, and the invariant under which that must be found."""

    def note(spoil: Callable[[Evidence], None]) -> Callable[[Evidence], None]:
        PLANTED.append((invariant, spoil))
        return spoil

    return note


def innocent(vary: Callable[[Evidence], None]) -> Callable[[Evidence], None]:
    """Note a way to vary the clean run that is no violation."""
    INNOCENT.append(vary)
    return vary


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


def cleo_comes_again(evidence: Evidence) -> None:
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
    contents.places[GROUP, "cleo"] = PlaceRow(True, 13, 12, 12)
    evidence.memberships.append(Membership(13.0, 13.2, GROUP, "cleo", True, "done"))
    of(evidence, "cleo's laptop").holds[GROUP] = Held(14, 1, {}, {"ana", "ben"})
    for name in ("ana's laptop", "ana's phone", "ben's laptop", "cleo's laptop"):
        history = of(evidence, name)
        history.entries += [Heard(13.3, 1, added), Heard(13.4, 1, Frame("new_message", GROUP, 14, message=note))]
        held = history.holds[GROUP]
        held.cursor = 14
        held.members.add("cleo")
        held.marks["cleo"] = (12, 12)
        held.messages[14] = (message_id(14), "")


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


@plants("I1")
def an_edit_that_a_later_one_replaced_is_back(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(4), "1", "done"))
    with_row(evidence, 4, text="1")


@plants("I2")
def an_edit_that_was_refused_is_stored(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(7), "3", "refused"))
    with_row(evidence, 7, text="3")


@plants("I2")
def an_edit_is_stored_that_another_message_got(evidence: Evidence) -> None:
    with_row(evidence, 7, text="2")


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
def a_reader_did_not_see_what_was_acknowledged_first(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(3.45, GROUP, 2, 2, 2))


@plants("I4")
def a_reader_did_not_see_what_was_acknowledged(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(9.0, GROUP, 6, 6, 6))


@plants("I4")
def a_reader_did_not_see_what_was_acknowledged_before_an_older_repetition(evidence: Evidence) -> None:
    heard_later(evidence, "ben's laptop", Acked(12.7, client_id(7), GROUP, message_id(7), 7, True))
    evidence.snapshots.append(Snapshot(12.9, GROUP, 7, 7, 7))


@plants("I4")
def a_reader_saw_events_beyond_the_head(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(9.0, GROUP, 8, 9, 9))


@plants("I4")
def a_message_lies_beyond_the_head(evidence: Evidence) -> None:
    with_row(evidence, 12, sequence=13)


@plants("I4")
def a_message_has_no_number(evidence: Evidence) -> None:
    with_row(evidence, 7, sequence=0)


@plants("I4")
def a_message_lies_in_no_conversation(evidence: Evidence) -> None:
    evidence.contents.messages.append(replace(row(2), id="lost", conversation_id="nowhere", sequence=1))


@plants("I4")
def a_conversation_has_no_log(evidence: Evidence) -> None:
    evidence.contents.heads["other"] = 3


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
def the_first_event_comes_second(evidence: Evidence) -> None:
    entries = of(evidence, "ana's phone").entries
    at = position_of(of(evidence, "ana's phone"), 1)
    entries[at], entries[at + 1] = entries[at + 1], entries[at]


@plants("I5")
def another_message_is_heard_after_a_repetition(evidence: Evidence) -> None:
    other = Frame("new_message", GROUP, 7, message=msgspec.structs.replace(body(12), sequence=7))
    heard_later(evidence, "ana's phone", heard(4, at=13.2), Heard(13.3, 1, other))


@plants("I5")
def two_sends_get_one_number(evidence: Evidence) -> None:
    sent = Sent(13.2, 1, GROUP, client_id(13), "five")
    heard_later(evidence, "ben's laptop", sent, Acked(13.3, client_id(13), GROUP, message_id(13), 12, False))


@plants("I5")
def an_event_is_heard_as_another_kind(evidence: Evidence) -> None:
    history = of(evidence, "ana's phone")
    history.entries[position_of(history, 7)] = Heard(7.5, 1, Frame("message_updated", GROUP, 7, message=body(7)))


@plants("I5")
def a_sync_leaves_something_out(evidence: Evidence) -> None:
    asked = SyncAsked(13.4, 2, {GROUP: 7})
    heard_later(evidence, "ana's phone", asked, *(heard(sequence, at=13.5, socket=2) for sequence in (12, 9)))


@plants("I5")
def what_a_sync_brings_comes_after_its_end(evidence: Evidence) -> None:
    asked, done = SyncAsked(13.4, 2, {GROUP: 7}), Synced(13.45, 2, {}, [], {})
    heard_later(evidence, "ana's phone", asked, done, *(heard(each, at=13.5, socket=2) for each in (12, 8)))


@plants("I5")
def what_a_sync_brings_comes_after_its_refusal(evidence: Evidence) -> None:
    asked, refused = SyncAsked(13.4, 2, {GROUP: 7}), SyncRefused(13.45, 2)
    heard_later(evidence, "ana's phone", asked, refused, *(heard(each, at=13.5, socket=2) for each in (12, 8)))


@plants("I5")
def something_is_acknowledged_that_was_never_sent(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Acked(13.2, client_id(12), GROUP, message_id(12), 12, False))


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


@plants("I6")
def a_sync_after_a_refused_one_completes_without_the_last_event(evidence: Evidence) -> None:
    refused = SyncAsked(13.2, 1, {}), SyncRefused(13.21, 1)
    asked, done = SyncAsked(13.22, 1, {GROUP: 11}), Synced(13.3, 1, {GROUP: 12}, [], {GROUP: 11})
    heard_later(evidence, "ana's phone", *refused, asked, done)


@plants("I6")
def the_first_of_two_syncs_completes_without_the_last_event(evidence: Evidence) -> None:
    asked = SyncAsked(13.2, 1, {GROUP: 11}), SyncAsked(13.21, 1, {})
    heard_later(evidence, "ana's phone", *asked, Synced(13.3, 1, {GROUP: 12}, [], {GROUP: 11}))


@plants("I6")
def a_newcomer_lacks_a_message(evidence: Evidence) -> None:
    cleo_comes_again(evidence)
    del of(evidence, "cleo's laptop").holds[GROUP].messages[14]


@plants("I10")
def a_newcomer_does_not_know_how_far_others_are(evidence: Evidence) -> None:
    cleo_comes_again(evidence)
    evidence.contents.places[GROUP, "ben"] = PlaceRow(True, 1, 14, 14)
    for name in ("ana's laptop", "ana's phone"):
        of(evidence, name).holds[GROUP].marks["ben"] = (14, 14)


@plants("I10")
def a_device_did_not_hear_that_somebody_read(evidence: Evidence) -> None:
    of(evidence, "ben's laptop").holds[GROUP].marks["ana"] = (4, 2)


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
def an_event_comes_after_a_removal_before_the_coming_again(evidence: Evidence) -> None:
    cleo_comes_again(evidence)
    del of(evidence, "cleo's laptop").entries[-2]


@plants("I8")
def a_text_that_an_edit_gave_before_the_deletion_is_loaded(evidence: Evidence) -> None:
    evidence.changes.insert(0, Change(8.5, 8.6, message_id(3), "uno", "done"))
    heard_later(evidence, "ana's phone", Loaded(13.2, 13.3, GROUP, 12, {message_id(3): "uno"}))


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


@plants("I8")
def somebody_reads_before_coming(evidence: Evidence) -> None:
    evidence.peeks.append(Peek(1.3, 1.4, "cleo", GROUP, "/events", 200))


@plants("I8")
def somebody_reads_whose_coming_was_refused(evidence: Evidence) -> None:
    evidence.memberships.append(Membership(10.6, 10.7, GROUP, "cleo", True, "refused"))
    evidence.peeks.append(Peek(11.3, 11.4, "cleo", GROUP, "/events", 200))


@plants("I8")
def a_refusal_shows_texts(evidence: Evidence) -> None:
    evidence.peeks.append(Peek(11.3, 11.4, "cleo", GROUP, "/messages", 404, ("four",)))


@plants("I9")
def a_revoked_device_comes_in_again(evidence: Evidence) -> None:
    heard_later(evidence, "cleo's laptop", Connected(14.0, 2, 0))


@plants("I9")
def a_revoked_device_is_told_what_it_missed(evidence: Evidence) -> None:
    heard_later(evidence, "cleo's laptop", Synced(14.0, 1, {}, [], {}))


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
def a_mark_is_written_that_moves_nothing(evidence: Evidence) -> None:
    evidence.contents.moves.append(MoveRow(GROUP, "ben", "delivered", 12, 12))


@plants("I11")
def a_reader_saw_a_delivery_go_back(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(12.96, GROUP, 12, 12, 12, (("ana", 4, 4), ("ben", 7, 0))))


@plants("I11")
def a_delivery_is_told_that_is_not_kept(evidence: Evidence) -> None:
    heard_later(
        evidence, "ana's phone", Heard(13.0, 1, Frame("message_delivered", GROUP, up_to_sequence=12, user_id="ana"))
    )


@plants("I11")
def a_receipt_of_a_stranger_is_told(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Heard(13.0, 1, Frame("message_read", GROUP, reader_id="dan")))


@plants("I11")
def a_place_forgets_a_mark(evidence: Evidence) -> None:
    evidence.contents.places[GROUP, "ben"] = PlaceRow(True, 1, 7, 0)


@plants("I11")
def a_place_forgets_what_was_read(evidence: Evidence) -> None:
    for history in evidence.histories:
        history.entries = [
            entry for entry in history.entries if not isinstance(entry, Heard) or entry.frame.type != "message_read"
        ]
    evidence.contents.places[GROUP, "ana"] = PlaceRow(True, 1, 4, 2)


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


# --- What is no violation ------------------------------------------------------------------------


@innocent
def somebody_comes_again(evidence: Evidence) -> None:
    cleo_comes_again(evidence)
    heard_later(evidence, "cleo's laptop", Heard(13.5, 1, Frame("typing", GROUP, user_id="ana")))


@innocent
def an_edit_whose_outcome_nobody_knows(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(7), "3", "unknown"))


@innocent
def an_edit_that_was_refused(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(7), "3", "refused"))


@innocent
def an_edit_of_what_is_not_there(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, "nowhere", "3", "unknown"))


@innocent
def an_edit_that_happened_though_nobody_heard_the_answer(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(7), "3", "unknown"))
    with_row(evidence, 7, text="3")
    for name in ("ana's laptop", "ana's phone", "ben's laptop"):
        of(evidence, name).holds[GROUP].messages[7] = (message_id(7), "3")


@innocent
def edits_that_were_written_down_out_of_order(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(4), "1", "done"))


@innocent
def a_reader_who_came_before_everything(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(0.1, GROUP, 0, 0, 0))


@innocent
def a_sync_that_is_overtaken_by_what_happens_meanwhile(evidence: Evidence) -> None:
    asked, done = SyncAsked(13.4, 2, {GROUP: 7}), Synced(13.6, 2, {GROUP: 12}, [], {GROUP: 12})
    came = [heard(sequence, at=13.5, socket=2) for sequence in (12, 8, 9, 10, 11)]
    heard_later(evidence, "ana's phone", asked, *came, done)


@innocent
def a_second_device_that_repeats_the_sends_of_the_first_newest_first(evidence: Evidence) -> None:
    entries = [
        entry
        for number in (12, 7)
        for entry in (
            Sent(13.2, 1, GROUP, client_id(number), SENT[number][1]),
            Acked(13.3, client_id(number), GROUP, message_id(number), number, True),
        )
    ]
    evidence.histories.append(History("ben's phone", "ben", entries, settled=False))


@innocent
def a_sync_after_which_something_is_to_be_loaded(evidence: Evidence) -> None:
    asked = SyncAsked(13.2, 1, {GROUP: 5})
    heard_later(evidence, "ana's phone", asked, Synced(13.3, 1, {"other": 3, GROUP: 12}, [GROUP], {GROUP: 5}))


@innocent
def a_sync_that_was_not_asked_about_what_lags_behind(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", SyncAsked(13.2, 1, {}), Synced(13.3, 1, {GROUP: 12}, [], {GROUP: 11}))


@innocent
def a_device_that_holds_only_the_newest(evidence: Evidence) -> None:
    held = of(evidence, "ana's phone").holds[GROUP]
    held.floor = 7
    held.messages = {sequence: each for sequence, each in held.messages.items() if sequence >= 7}


@innocent
def a_device_that_has_not_heard_of_its_own_marks(evidence: Evidence) -> None:
    del of(evidence, "ana's phone").holds[GROUP].marks["ana"]


@innocent
def a_delivery_that_is_told(evidence: Evidence) -> None:
    told = Frame("message_delivered", GROUP, up_to_sequence=12, user_id="ben")
    heard_later(evidence, "ana's phone", Heard(13.0, 1, told))


@innocent
def a_text_that_was_loaded_before_its_deletion(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Loaded(8.0, 8.1, GROUP, 8, {message_id(3): "one"}))


def on_a_tablet(evidence: Evidence, *entries: Any) -> None:
    evidence.histories.append(History("ana's tablet", "ana", [Connected(0.0, 1, 0), *entries], settled=False))


@innocent
def a_deleted_text_that_was_asked_for_before_its_deletion(evidence: Evidence) -> None:
    """An edit that was written down later is not the deletion."""
    evidence.changes.append(Change(8.5, 8.6, message_id(3), "uno", "done"))
    on_a_tablet(evidence, SyncAsked(8.8, 1, {GROUP: 2}), heard(3, at=8.9), Synced(8.95, 1, {}, [], {}))


@innocent
def a_deleted_text_of_which_a_slow_process_tells_after_a_sync(evidence: Evidence) -> None:
    on_a_tablet(evidence, SyncAsked(9.7, 1, {GROUP: 2}), Synced(9.8, 1, {}, [], {}), heard(3, at=9.9))


@innocent
def a_deleted_text_of_which_a_slow_process_tells_after_a_sync_broke_off(evidence: Evidence) -> None:
    on_a_tablet(evidence, SyncAsked(9.7, 1, {GROUP: 2}), Closed(9.8, 1, None), heard(3, at=9.9, socket=2))


@innocent
def a_deleted_text_of_which_a_slow_process_tells_on_another_socket(evidence: Evidence) -> None:
    on_a_tablet(evidence, SyncAsked(9.7, 1, {GROUP: 2}), Connected(9.8, 2, 1), heard(3, at=9.9, socket=2))


@innocent
def a_text_whose_deletion_nobody_confirmed(evidence: Evidence) -> None:
    evidence.changes[1] = replace(evidence.changes[1], outcome="unknown")
    on_a_tablet(
        evidence, SyncAsked(9.7, 1, {GROUP: 2}), heard(3, at=9.8), Loaded(9.9, 9.95, GROUP, 3, {message_id(3): "one"})
    )


@innocent
def looks_of_members_and_looks_that_show_nothing(evidence: Evidence) -> None:
    evidence.peeks.append(Peek(1.0, 1.1, "ana", GROUP, "/events", 200, ("one",)))
    evidence.peeks += [Peek(11.3, 11.4, "cleo", GROUP, "/events", status) for status in (0, 401, 404, 429, 503)]


@innocent
def a_look_while_somebody_comes(evidence: Evidence) -> None:
    evidence.peeks += [Peek(began, began + 0.2, "cleo", GROUP, "/events", 200) for began in (4.9, 5.1, 5.3)]


@innocent
def a_look_after_a_removal_whose_outcome_nobody_knows(evidence: Evidence) -> None:
    evidence.memberships.append(Membership(5.5, 5.6, GROUP, "cleo", False, "unknown"))


@innocent
def memberships_that_were_written_down_out_of_order(evidence: Evidence) -> None:
    evidence.memberships.reverse()


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


@pytest.mark.parametrize("vary", INNOCENT, ids=lambda vary: vary.__name__)
def test_what_is_no_violation_is_not_blamed(vary: Callable[[Evidence], None]) -> None:
    evidence = clean_run()
    vary(evidence)
    assert [verdict.shown for verdict in all_checks(evidence) if verdict.wrong] == []


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
    checked = verdict.checked
    verdict.add(verdict)
    assert (verdict.wrong, verdict.checked) == (1000, 2 * checked)
    assert len(verdict.shown) == 20


# --- What it says --------------------------------------------------------------------------------


def blamed(evidence: Evidence) -> list[str]:
    return [what for verdict in all_checks(evidence) for what in verdict.shown]


def test_every_case_is_named() -> None:
    evidence = clean_run()
    without_message(evidence, 7)
    without_message(evidence, 12)
    lost = [what for what in blamed(evidence) if "acknowledged and is lost" in what]
    assert lost == [f"{client_id(each)} of ben's laptop was acknowledged and is lost" for each in (7, 12)]
    evidence = clean_run()
    a_message_is_stored_that_nobody_sent(evidence)
    assert any("ghost was sent by nobody" in what for what in blamed(evidence))
    evidence = clean_run()
    for _ in range(2):
        something_is_acknowledged_that_was_never_sent(evidence)
    assert blamed(evidence).count("ana's phone was acknowledged client-12, which it never sent") == 2


def test_a_gap_is_named() -> None:
    evidence = clean_run()
    the_log_has_a_gap(evidence)
    assert "the log of group is not 1..12: 8 where 7 was due" in blamed(evidence)
    evidence = clean_run()
    evidence.contents.heads[GROUP] = 13
    assert "the log of group is not 1..13: it ends with 12" in blamed(evidence)


def test_what_a_device_holds_wrongly_is_named() -> None:
    evidence = clean_run()
    of(evidence, "ana's phone").holds = {name: Held(1) for name in "gfedcba"}
    assert (
        "ana's phone holds ['a', 'b', 'c', 'd', 'e'] that it should not, and lacks ['group']" in blamed(evidence)
    )  # fmt: skip


def test_what_came_before_an_event_that_is_out_of_order_is_told() -> None:
    evidence = clean_run()
    of(evidence, "ana's phone").entries = [
        Connected(1.0, 2, 0),
        Heard(1.1, 2, Frame("typing", GROUP, user_id="ben")),
        Heard(1.2, 2, Frame("new_message", "another", 3, message=body(3))),
        SyncAsked(1.3, 2, {GROUP: 4}),
        SyncRefused(1.4, 2),
        SyncAsked(1.5, 2, {GROUP: 4}),
        Synced(1.6, 2, {GROUP: 5}, [], {GROUP: 5}),
        heard(12, at=1.7, socket=2),
        heard(7, at=1.8, socket=2),
        heard(8, at=1.9, socket=2),
    ]
    before = (
        "Connected 2 at 1.000; sync from 4 on 2 at 1.300; SyncRefused 2 at 1.400; sync from 4 on 2 at 1.500; "
        "synced to 5 on 2 at 1.600; new_message 12 on 2 at 1.700"
    )
    assert (
        f"on socket 2 of ana's phone new_message 7 of group came first after 12, at 1.800; before it: {before}"
        in blamed(evidence)
    )


# --- Memberships ---------------------------------------------------------------------------------


def test_memberships_are_read_from_the_log() -> None:
    evidence = clean_run()
    cleo_comes_again(evidence)
    evidence.contents.events[GROUP] += [
        EventRow(15, "participant_updated", 15, user_id="dan"),
        EventRow(16, "participant_removed", 16, user_id="eve"),
    ]
    windows = windows_of(evidence)
    assert windows[GROUP, "ana"] == [Window(1, FOREVER)]
    assert windows[GROUP, "cleo"] == [Window(5, 10), Window(13, FOREVER)]
    assert windows[GROUP, "dan"] == windows[GROUP, "eve"] == []
    inside = [sequence for sequence in range(1, 17) if window_at(windows, GROUP, "cleo", sequence)]
    assert inside == [5, 6, 7, 8, 9, 10, 13, 14, 15, 16]
    assert window_at(windows, GROUP, "nobody", 5) is None


def test_who_was_never_in_it_holds_nothing_and_that_is_right() -> None:
    evidence = clean_run()
    evidence.contents.events[GROUP].append(EventRow(13, "participant_updated", 13, user_id="dan"))
    evidence.histories.append(History("dan's laptop", "dan"))
    assert not any("dan's laptop" in what for what in blamed(evidence))
