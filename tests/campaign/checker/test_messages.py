"""I1 to I3: messages that are lost, were never sent or are stored twice are found."""

from dataclasses import replace

from tests.campaign.checker.clean_run import GROUP, clean_run, client_id, message_id, row
from tests.campaign.checker.planting import (
    PlantedFaults,
    heard_later,
    of,
    planted_fault,
    valid_change,
    violations,
    violations_after,
    with_row,
)
from tests.campaign.evidence import Change, Evidence
from tests.campaign.history import Acked, Refused


def without_message(evidence: Evidence, sequence: int) -> None:
    evidence.contents.messages = [each for each in evidence.contents.messages if each.sequence != sequence]


@planted_fault("I1")
def an_acknowledged_message_is_lost(evidence: Evidence) -> None:
    without_message(evidence, 7)


@planted_fault("I1")
def a_message_is_stored_under_another_number(evidence: Evidence) -> None:
    with_row(evidence, 7, sequence=6)


@planted_fault("I1")
def a_message_is_stored_with_another_text(evidence: Evidence) -> None:
    with_row(evidence, 7, text="tree")


@planted_fault("I1")
def an_edit_that_was_confirmed_is_lost(evidence: Evidence) -> None:
    with_row(evidence, 4, text="two")


@planted_fault("I1")
def a_message_is_stored_for_another_sender(evidence: Evidence) -> None:
    with_row(evidence, 7, sender_id="ana")


@planted_fault("I2")
def a_message_is_stored_that_nobody_sent(evidence: Evidence) -> None:
    evidence.contents.messages.append(replace(row(7), id="ghost", client_message_id="of nobody"))


@planted_fault("I2")
def a_message_is_stored_although_it_was_refused(evidence: Evidence) -> None:
    heard_later(evidence, "ben's laptop", Refused(7.3, client_id(7), "forbidden"))


@planted_fault("I2")
def a_deleted_text_is_still_stored(evidence: Evidence) -> None:
    with_row(evidence, 3, text="one")


@planted_fault("I1")
def an_edit_that_a_later_one_replaced_is_back(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(4), "1", "done"))
    with_row(evidence, 4, text="1")


@planted_fault("I2")
def an_edit_that_was_refused_is_stored(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(7), "3", "refused"))
    with_row(evidence, 7, text="3")


@planted_fault("I2")
def an_edit_is_stored_on_another_message(evidence: Evidence) -> None:
    with_row(evidence, 7, text="2")


@planted_fault("I3")
def a_message_is_stored_twice(evidence: Evidence) -> None:
    evidence.contents.messages.append(replace(row(7), id="once more", sequence=8))


@planted_fault("I3")
def two_acks_disagree_about_the_number(evidence: Evidence) -> None:
    heard_later(evidence, "ben's laptop", Acked(13.2, client_id(7), GROUP, message_id(7), 8, True))


@planted_fault("I3")
def two_acks_disagree_about_the_message(evidence: Evidence) -> None:
    heard_later(evidence, "ben's laptop", Acked(13.2, client_id(7), GROUP, message_id(12), 7, True))


@planted_fault("I3")
def a_repetition_is_acknowledged_as_new(evidence: Evidence) -> None:
    heard_later(evidence, "ben's laptop", Acked(13.2, client_id(7), GROUP, message_id(7), 7, False))


@valid_change
def an_edit_whose_outcome_nobody_knows(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(7), "3", "unknown"))


@valid_change
def an_edit_that_was_refused(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(7), "3", "refused"))


@valid_change
def an_edit_of_what_is_not_there(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, "nowhere", "3", "unknown"))


@valid_change
def an_unanswered_edit_that_took_effect(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(7), "3", "unknown"))
    with_row(evidence, 7, text="3")
    for name in ("ana's laptop", "ana's phone", "ben's laptop"):
        of(evidence, name).holds[GROUP].messages[7] = (message_id(7), "3")


@valid_change
def edits_that_were_written_down_out_of_order(evidence: Evidence) -> None:
    evidence.changes.append(Change(7.6, 7.7, message_id(4), "1", "done"))


class TestPlanted(PlantedFaults):
    """The faults planted in this file."""


def test_every_case_is_named() -> None:
    evidence = clean_run()
    without_message(evidence, 7)
    without_message(evidence, 12)
    lost = [what for what in violations(evidence)["I1"] if "acknowledged and is lost" in what]
    assert lost == [f"{client_id(each)} of ben's laptop was acknowledged and is lost" for each in (7, 12)]
    blames = violations_after(a_message_is_stored_that_nobody_sent)["I2"]
    assert any("ghost was sent by nobody" in what for what in blames)
