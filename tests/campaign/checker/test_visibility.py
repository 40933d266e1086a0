"""I8, I9 and I12: what is found of people who see too much, and of deleted texts that come back."""

from dataclasses import replace
from typing import Any

from tests.campaign.checker.clean_run import GROUP, body, heard, message_id
from tests.campaign.checker.planting import (
    PlantedFaults,
    cleo_is_added_again,
    heard_later,
    of,
    planted_fault,
    position_of,
    valid_change,
    violations_after,
)
from tests.campaign.evidence import Change, EventRow, Evidence, Membership, Peek
from tests.campaign.frames import Frame, Participant
from tests.campaign.history import Closed, Connected, Heard, History, Loaded, SyncAsked, Synced


@planted_fault("I8")
def a_frame_reaches_a_former_member(evidence: Evidence) -> None:
    heard_later(evidence, "cleo's laptop", heard(12))


@planted_fault("I8")
def a_frame_reaches_a_stranger(evidence: Evidence) -> None:
    evidence.histories.append(History("dan's laptop", "dan", [heard(7)]))


@planted_fault("I8")
def a_receipt_reaches_a_former_member(evidence: Evidence) -> None:
    heard_later(
        evidence, "cleo's laptop", Heard(12.0, 1, Frame("message_read", GROUP, up_to_sequence=4, reader_id="ana"))
    )


@planted_fault("I8")
def typing_reaches_a_stranger(evidence: Evidence) -> None:
    evidence.histories.append(History("dan's laptop", "dan", [Heard(7.0, 1, Frame("typing", GROUP, user_id="ana"))]))


@planted_fault("I8")
def a_newcomer_hears_an_event_from_before_joining(evidence: Evidence) -> None:
    of(evidence, "cleo's laptop").entries.insert(1, heard(4))


@planted_fault("I8")
def a_newcomer_hears_the_text_of_a_message_from_before(evidence: Evidence) -> None:
    history = of(evidence, "cleo's laptop")
    history.entries[position_of(history, 8)] = heard(8)


@planted_fault("I8")
def an_event_comes_after_a_removal_before_the_coming_again(evidence: Evidence) -> None:
    cleo_is_added_again(evidence)
    del of(evidence, "cleo's laptop").entries[-2]


@planted_fault("I8")
def somebody_else_comes_after_a_removal_before_the_coming_again(evidence: Evidence) -> None:
    cleo_is_added_again(evidence)
    evidence.contents.events[GROUP][13] = EventRow(14, "participant_added", 14, user_id="dan")
    dan_comes = Frame("participant_added", GROUP, 14, participant=Participant("dan"))
    of(evidence, "cleo's laptop").entries[-2:] = [Heard(13.4, 1, dan_comes)]


@planted_fault("I8")
def a_change_of_oneself_comes_after_a_removal_before_the_coming_again(evidence: Evidence) -> None:
    cleo_is_added_again(evidence)
    evidence.contents.events[GROUP][13] = EventRow(14, "participant_updated", 14, user_id="cleo")
    changed = Frame("participant_updated", GROUP, 14, participant=Participant("cleo"))
    of(evidence, "cleo's laptop").entries[-2:] = [Heard(13.4, 1, changed)]


@planted_fault("I8")
def a_text_that_an_edit_gave_before_the_deletion_is_loaded(evidence: Evidence) -> None:
    evidence.changes.insert(0, Change(8.5, 8.6, message_id(3), "uno", "done"))
    heard_later(evidence, "ana's phone", Loaded(13.2, 13.3, GROUP, 12, {message_id(3): "uno"}))


@planted_fault("I8")
def a_deleted_text_comes_back_after_its_deletion(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Closed(13.2, 1, None), Connected(13.3, 2, 0), heard(3, at=13.4, socket=2))


@planted_fault("I8")
def a_deleted_text_is_in_a_catch_up(evidence: Evidence) -> None:
    history = History(
        "ana's tablet",
        "ana",
        [Connected(9.6, 1, 0), SyncAsked(9.7, 1, {GROUP: 2}), heard(3, at=9.8), Synced(9.9, 1, {}, [], {})],
        settled=False,
    )
    evidence.histories.append(history)


@planted_fault("I8")
def a_deleted_text_is_in_what_is_loaded(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Loaded(13.2, 13.3, GROUP, 12, {message_id(3): "one"}))


@planted_fault("I8")
def an_old_text_is_in_a_tombstone(evidence: Evidence) -> None:
    history = of(evidence, "ana's phone")
    spoiled = Frame("message_deleted", GROUP, 9, message=body(3, "one", deleted=True))
    history.entries[position_of(history, 9)] = Heard(9.5, 1, spoiled)


@planted_fault("I8")
def a_former_member_reads_over_rest(evidence: Evidence) -> None:
    evidence.peeks.append(Peek(11.3, 11.4, "cleo", GROUP, "/messages", 200, ("four",)))


@planted_fault("I8")
def a_stranger_may_know_that_it_exists(evidence: Evidence) -> None:
    evidence.peeks.append(Peek(11.3, 11.4, "dan", GROUP, "/events", 403))


@planted_fault("I8")
def somebody_reads_before_coming(evidence: Evidence) -> None:
    evidence.peeks.append(Peek(1.3, 1.4, "cleo", GROUP, "/events", 200))


@planted_fault("I8")
def somebody_reads_whose_coming_was_refused(evidence: Evidence) -> None:
    evidence.memberships.append(Membership(10.6, 10.7, GROUP, "cleo", True, "refused"))
    evidence.peeks.append(Peek(11.3, 11.4, "cleo", GROUP, "/events", 200))


@planted_fault("I8")
def a_refusal_shows_texts(evidence: Evidence) -> None:
    evidence.peeks.append(Peek(11.3, 11.4, "cleo", GROUP, "/messages", 404, ("four",)))


@planted_fault("I9")
def a_revoked_device_comes_in_again(evidence: Evidence) -> None:
    heard_later(evidence, "cleo's laptop", Connected(14.0, 2, 0))


@planted_fault("I9")
def a_revoked_device_is_told_what_it_missed(evidence: Evidence) -> None:
    heard_later(evidence, "cleo's laptop", Synced(14.0, 1, {}, [], {}))


@planted_fault("I9")
def a_revoked_device_goes_on_hearing(evidence: Evidence) -> None:
    heard_later(evidence, "cleo's laptop", Heard(14.0, 1, Frame("presence", user_id="ana")))


@planted_fault("I12")
def a_deleted_text_is_still_in_a_log(evidence: Evidence) -> None:
    evidence.found_texts["one"] = "server-1.log"


@valid_change
def somebody_comes_again(evidence: Evidence) -> None:
    cleo_is_added_again(evidence)
    heard_later(evidence, "cleo's laptop", Heard(13.5, 1, Frame("typing", GROUP, user_id="ana")))


@valid_change
def a_text_that_was_loaded_before_its_deletion(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Loaded(8.0, 8.1, GROUP, 8, {message_id(3): "one"}))


@valid_change
def a_message_that_is_loaded_empty_after_its_deletion(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Loaded(13.2, 13.3, GROUP, 12, {message_id(3): ""}))


@valid_change
def a_revoked_device_that_notes_late_that_its_socket_ended(evidence: Evidence) -> None:
    heard_later(evidence, "cleo's laptop", Closed(20.0, 1, 4401))


def on_a_tablet(evidence: Evidence, *entries: Any) -> None:
    evidence.histories.append(History("ana's tablet", "ana", [Connected(0.0, 1, 0), *entries], settled=False))


@valid_change
def a_deleted_text_that_was_asked_for_before_its_deletion(evidence: Evidence) -> None:
    """An edit that was written down later is not the deletion."""
    evidence.changes.append(Change(8.5, 8.6, message_id(3), "uno", "done"))
    on_a_tablet(evidence, SyncAsked(8.8, 1, {GROUP: 2}), heard(3, at=8.9), Synced(8.95, 1, {}, [], {}))


@valid_change
def a_deleted_text_of_which_a_slow_process_tells_after_a_sync(evidence: Evidence) -> None:
    on_a_tablet(evidence, SyncAsked(9.7, 1, {GROUP: 2}), Synced(9.8, 1, {}, [], {}), heard(3, at=9.9))


@valid_change
def a_deleted_text_of_which_a_slow_process_tells_after_a_sync_broke_off(evidence: Evidence) -> None:
    on_a_tablet(evidence, SyncAsked(9.7, 1, {GROUP: 2}), Closed(9.8, 1, None), heard(3, at=9.9, socket=2))


@valid_change
def a_deleted_text_of_which_a_slow_process_tells_on_another_socket(evidence: Evidence) -> None:
    on_a_tablet(evidence, SyncAsked(9.7, 1, {GROUP: 2}), Connected(9.8, 2, 1), heard(3, at=9.9, socket=2))


@valid_change
def a_text_whose_deletion_nobody_confirmed(evidence: Evidence) -> None:
    evidence.changes[1] = replace(evidence.changes[1], outcome="unknown")
    on_a_tablet(
        evidence, SyncAsked(9.7, 1, {GROUP: 2}), heard(3, at=9.8), Loaded(9.9, 9.95, GROUP, 3, {message_id(3): "one"})
    )


@valid_change
def looks_of_members_and_looks_that_show_nothing(evidence: Evidence) -> None:
    evidence.peeks.append(Peek(1.0, 1.1, "ana", GROUP, "/events", 200, ("one",)))
    evidence.peeks += [Peek(11.3, 11.4, "cleo", GROUP, "/events", status) for status in (0, 401, 404, 429, 503)]


@valid_change
def a_look_while_somebody_comes(evidence: Evidence) -> None:
    evidence.peeks += [Peek(began, began + 0.2, "cleo", GROUP, "/events", 200) for began in (4.9, 5.1, 5.3)]


@valid_change
def a_look_after_a_removal_whose_outcome_nobody_knows(evidence: Evidence) -> None:
    evidence.memberships.append(Membership(5.5, 5.6, GROUP, "cleo", False, "unknown"))


@valid_change
def memberships_that_were_written_down_out_of_order(evidence: Evidence) -> None:
    evidence.memberships.reverse()


class TestPlanted(PlantedFaults):
    """Those of this file."""


def test_each_of_several_frames_is_named() -> None:
    blames = violations_after(lambda evidence: heard_later(evidence, "cleo's laptop", heard(11), heard(12)))["I8"]
    for number in (11, 12):
        assert any(f"sequence={number}" in what and "while not being a member" in what for what in blames), number
