"""I6 and I10: what is found of devices that hold something else than the log shows them."""

from tests.campaign.checker.clean_run import GROUP, clean_run, message_id
from tests.campaign.checker.planting import (
    PlantedFaults,
    cleo_is_added_again,
    heard_later,
    of,
    planted_fault,
    valid_change,
    violations,
)
from tests.campaign.checker.state import synced_is_complete
from tests.campaign.evidence import EventRow, Evidence, ParticipantRow
from tests.campaign.history import Held, History, SyncAsked, Synced, SyncRefused


@planted_fault("I6")
def a_device_lacks_a_message_after_its_sync(evidence: Evidence) -> None:
    del of(evidence, "ana's phone").holds[GROUP].messages[7]


@planted_fault("I6")
def a_device_holds_an_old_text(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].messages[4] = (message_id(4), "two")


@planted_fault("I6")
def a_device_holds_a_message_too_many(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].messages[13] = ("ghost", "five")


@planted_fault("I6")
def a_device_is_behind_at_the_end(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].cursor = 11


@planted_fault("I6")
def a_sync_completes_without_the_last_event(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", SyncAsked(13.2, 1, {GROUP: 11}), Synced(13.3, 1, {GROUP: 12}, [], {GROUP: 11}))


@planted_fault("I6")
def a_device_does_not_know_a_conversation(evidence: Evidence) -> None:
    del of(evidence, "ana's phone").holds[GROUP]


@planted_fault("I6")
def a_former_member_still_holds_the_conversation(evidence: Evidence) -> None:
    cleo = of(evidence, "cleo's laptop")
    cleo.holds[GROUP] = of(evidence, "ana's phone").holds[GROUP]


@planted_fault("I6")
def a_sync_after_a_refused_one_completes_without_the_last_event(evidence: Evidence) -> None:
    refused = SyncAsked(13.2, 1, {}), SyncRefused(13.21, 1)
    asked, done = SyncAsked(13.22, 1, {GROUP: 11}), Synced(13.3, 1, {GROUP: 12}, [], {GROUP: 11})
    heard_later(evidence, "ana's phone", *refused, asked, done)


@planted_fault("I6")
def the_first_of_two_syncs_completes_without_the_last_event(evidence: Evidence) -> None:
    asked = SyncAsked(13.2, 1, {GROUP: 11}), SyncAsked(13.21, 1, {})
    heard_later(evidence, "ana's phone", *asked, Synced(13.3, 1, {GROUP: 12}, [], {GROUP: 11}))


@planted_fault("I6")
def a_newcomer_lacks_a_message(evidence: Evidence) -> None:
    cleo_is_added_again(evidence)
    del of(evidence, "cleo's laptop").holds[GROUP].messages[14]


@planted_fault("I10")
def a_device_lists_a_false_member(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].members.add("dan")


@planted_fault("I10")
def a_new_member_lacks_others_positions(evidence: Evidence) -> None:
    cleo_is_added_again(evidence)
    evidence.contents.participants[GROUP, "ben"] = ParticipantRow(True, 1, 14, 14)
    for name in ("ana's laptop", "ana's phone"):
        of(evidence, name).holds[GROUP].positions["ben"] = (14, 14)


@planted_fault("I10")
def a_device_did_not_hear_that_somebody_read(evidence: Evidence) -> None:
    of(evidence, "ben's laptop").holds[GROUP].positions["ana"] = (4, 2)


@planted_fault("I10")
def a_device_did_not_hear_that_somebody_left(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].members.add("cleo")


@planted_fault("I10")
def a_device_did_not_hear_of_a_receipt(evidence: Evidence) -> None:
    of(evidence, "ana's phone").holds[GROUP].positions["ben"] = (7, 0)


@valid_change
def a_sync_after_which_something_is_to_be_loaded(evidence: Evidence) -> None:
    asked = SyncAsked(13.2, 1, {GROUP: 5})
    heard_later(evidence, "ana's phone", asked, Synced(13.3, 1, {"other": 3, GROUP: 12}, [GROUP], {GROUP: 5}))


@valid_change
def a_sync_from_which_a_conversation_is_gone(evidence: Evidence) -> None:
    cursors = {GROUP: 12, "left meanwhile": 3}
    heard_later(evidence, "ana's phone", SyncAsked(13.2, 1, cursors), Synced(13.3, 1, {GROUP: 12}, [], cursors))


@valid_change
def a_refusal_of_a_sync_that_was_asked_for_on_another_socket(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", SyncAsked(13.2, 1, {}), SyncRefused(13.3, 2))


@valid_change
def a_sync_that_did_not_name_a_lagging_conversation(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", SyncAsked(13.2, 1, {}), Synced(13.3, 1, {GROUP: 12}, [], {GROUP: 11}))


@valid_change
def a_device_that_holds_only_the_newest(evidence: Evidence) -> None:
    held = of(evidence, "ana's phone").holds[GROUP]
    held.floor = 7
    held.messages = {sequence: each for sequence, each in held.messages.items() if sequence >= 7}


@valid_change
def a_device_with_messages_below_its_floor(evidence: Evidence) -> None:
    held = of(evidence, "ana's phone").holds[GROUP]
    held.floor = 7
    del held.messages[2]
    held.messages[4] = (message_id(4), "two")


@valid_change
def rows_that_the_database_gives_in_another_order(evidence: Evidence) -> None:
    evidence.contents.messages.reverse()


@valid_change
def a_device_without_its_own_positions(evidence: Evidence) -> None:
    del of(evidence, "ana's phone").holds[GROUP].positions["ana"]


class TestPlanted(PlantedFaults):
    """Those of this file."""


def test_a_wrong_message_on_a_device_is_named() -> None:
    evidence = clean_run()
    of(evidence, "ana's phone").holds = {name: Held(1) for name in "gfedcba"}
    said = "ana's phone holds ['a', 'b', 'c', 'd', 'e'] that it should not, and lacks ['group']"
    assert said in violations(evidence)["I6"]


def test_every_message_that_a_device_must_hold_is_a_case() -> None:
    evidence = clean_run()
    before = synced_is_complete(evidence).checked
    of(evidence, "ana's phone").holds[GROUP].floor = 7
    assert before - synced_is_complete(evidence).checked == 4, "2, 3, 4 and 6 are below the floor"


def test_a_person_who_was_never_a_participant_rightly_has_nothing() -> None:
    evidence = clean_run()
    evidence.contents.events[GROUP].append(EventRow(13, "participant_updated", 13, user_id="dan"))
    evidence.histories.append(History("dan's laptop", "dan"))
    assert "dan's laptop" not in str(violations(evidence))
