"""I4 and I5: gaps, duplicate sequences and a wrong order are found, and reported."""

from dataclasses import replace

import msgspec

from tests.campaign.checker.clean_run import GROUP, SENT, body, clean_run, client_id, event_row, heard, message_id, row
from tests.campaign.checker.planting import (
    PlantedFaults,
    heard_later,
    of,
    planted_fault,
    position_of,
    valid_change,
    violations,
    violations_after,
    with_row,
)
from tests.campaign.evidence import Evidence, Snapshot
from tests.campaign.frames import Frame
from tests.campaign.history import (
    Acked,
    Closed,
    Connected,
    Heard,
    History,
    Refused,
    Sent,
    SyncAsked,
    Synced,
    SyncRefused,
)


@planted_fault("I4")
def the_log_has_a_gap(evidence: Evidence) -> None:
    del evidence.contents.events[GROUP][6]


@planted_fault("I4")
def a_number_is_taken_twice(evidence: Evidence) -> None:
    evidence.contents.events[GROUP].insert(7, event_row(7))


@planted_fault("I4")
def the_head_is_behind_its_log(evidence: Evidence) -> None:
    evidence.contents.heads[GROUP] = 11


@planted_fault("I4")
def a_reader_saw_a_number_before_a_lower_one(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(8.0, GROUP, 8, 7, 8))


@planted_fault("I4")
def a_reader_did_not_see_what_was_acknowledged_first(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(3.45, GROUP, 2, 2, 2))


@planted_fault("I4")
def a_reader_did_not_see_what_was_acknowledged(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(9.0, GROUP, 6, 6, 6))


@planted_fault("I4")
def a_reader_did_not_see_what_was_acknowledged_before_an_older_repetition(evidence: Evidence) -> None:
    heard_later(evidence, "ben's laptop", Acked(12.7, client_id(7), GROUP, message_id(7), 7, True))
    evidence.snapshots.append(Snapshot(12.9, GROUP, 7, 7, 7))


@planted_fault("I4")
def a_reader_saw_events_beyond_the_head(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(9.0, GROUP, 8, 9, 9))


@planted_fault("I4")
def a_message_lies_beyond_the_head(evidence: Evidence) -> None:
    with_row(evidence, 12, sequence=13)


@planted_fault("I4")
def a_message_has_no_number(evidence: Evidence) -> None:
    with_row(evidence, 7, sequence=0)


@planted_fault("I4")
def a_message_lies_in_no_conversation(evidence: Evidence) -> None:
    evidence.contents.messages.append(replace(row(2), id="lost", conversation_id="nowhere", sequence=1))


@planted_fault("I4")
def a_conversation_has_no_log(evidence: Evidence) -> None:
    evidence.contents.heads["other"] = 3


@planted_fault("I4")
def the_products_own_check_finds_something(evidence: Evidence) -> None:
    evidence.integrity_faults.append("conversation group: counts 4 messages, has 5")


@planted_fault("I5")
def two_events_are_swapped_on_a_socket(evidence: Evidence) -> None:
    entries = of(evidence, "ana's phone").entries
    at = position_of(of(evidence, "ana's phone"), 7)
    entries[at], entries[at + 1] = entries[at + 1], entries[at]


@planted_fault("I5")
def two_devices_see_different_messages_at_a_number(evidence: Evidence) -> None:
    history = of(evidence, "ana's phone")
    other = Frame("new_message", GROUP, 7, message=msgspec.structs.replace(body(12), sequence=7))
    history.entries[position_of(history, 7)] = Heard(7.5, 1, other)


@planted_fault("I5")
def the_first_event_comes_second(evidence: Evidence) -> None:
    entries = of(evidence, "ana's phone").entries
    at = position_of(of(evidence, "ana's phone"), 1)
    entries[at], entries[at + 1] = entries[at + 1], entries[at]


@planted_fault("I5")
def another_message_is_heard_after_a_repetition(evidence: Evidence) -> None:
    other = Frame("new_message", GROUP, 7, message=msgspec.structs.replace(body(12), sequence=7))
    heard_later(evidence, "ana's phone", heard(4, at=13.2), Heard(13.3, 1, other))


@planted_fault("I5")
def two_sends_get_one_number(evidence: Evidence) -> None:
    sent = Sent(13.2, 1, GROUP, client_id(13), "five")
    heard_later(evidence, "ben's laptop", sent, Acked(13.3, client_id(13), GROUP, message_id(13), 12, False))


@planted_fault("I5")
def an_event_is_heard_as_another_kind(evidence: Evidence) -> None:
    history = of(evidence, "ana's phone")
    history.entries[position_of(history, 7)] = Heard(7.5, 1, Frame("message_updated", GROUP, 7, message=body(7)))


@planted_fault("I5")
def a_sync_leaves_something_out(evidence: Evidence) -> None:
    asked = SyncAsked(13.4, 2, {GROUP: 7})
    heard_later(evidence, "ana's phone", asked, *(heard(sequence, at=13.5, socket=2) for sequence in (12, 9)))


@planted_fault("I5")
def what_a_sync_brings_comes_after_its_end(evidence: Evidence) -> None:
    asked, done = SyncAsked(13.4, 2, {GROUP: 7}), Synced(13.45, 2, {}, [], {})
    heard_later(evidence, "ana's phone", asked, done, *(heard(each, at=13.5, socket=2) for each in (12, 8)))


@planted_fault("I5")
def what_a_sync_brings_comes_after_its_refusal(evidence: Evidence) -> None:
    asked, refused = SyncAsked(13.4, 2, {GROUP: 7}), SyncRefused(13.45, 2)
    heard_later(evidence, "ana's phone", asked, refused, *(heard(each, at=13.5, socket=2) for each in (12, 8)))


@planted_fault("I5")
def something_is_acknowledged_that_was_never_sent(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Acked(13.2, client_id(12), GROUP, message_id(12), 12, False))


@planted_fault("I5")
def an_event_is_heard_that_is_in_no_log(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Heard(13.2, 1, Frame("new_message", GROUP, 13, message=body(13))))


@planted_fault("I5")
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


@valid_change
def a_reader_who_came_before_everything(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(0.1, GROUP, 0, 0, 0))


@valid_change
def a_sync_that_is_overtaken_by_what_happens_meanwhile(evidence: Evidence) -> None:
    asked, done = SyncAsked(13.4, 2, {GROUP: 7}), Synced(13.6, 2, {GROUP: 12}, [], {GROUP: 12})
    came = [heard(sequence, at=13.5, socket=2) for sequence in (12, 8, 9, 10, 11)]
    heard_later(evidence, "ana's phone", asked, *came, done)


@valid_change
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


def test_faults_that_a_network_may_cause_are_no_violation() -> None:
    """A send repeated on a new socket, a lost ack, events that come again after a sync, an unknown outcome."""
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
        heard(7, at=13.68, socket=2),  # a process that lags behind sends what the device had before it connected
        Sent(13.7, 2, GROUP, client_id(12), SENT[12][1]),
        Acked(13.8, client_id(12), GROUP, message_id(12), 12, True),
        Sent(13.9, 2, GROUP, client_id(99), "never answered"),
        Refused(13.95, client_id(12), "try_again"),
    ]
    assert violations(evidence) == {}


class TestPlanted(PlantedFaults):
    """The faults planted in this file."""


def test_a_gap_is_named() -> None:
    assert "the log of group is not 1..12: 8 where 7 was due" in violations_after(the_log_has_a_gap)["I4"]
    evidence = clean_run()
    evidence.contents.heads[GROUP] = 13
    assert "the log of group is not 1..13: it ends with 12" in violations(evidence)["I4"]


def test_every_ack_of_what_was_never_sent_is_named() -> None:
    evidence = clean_run()
    for _ in range(2):
        something_is_acknowledged_that_was_never_sent(evidence)
    assert violations(evidence)["I5"].count("ana's phone was acknowledged client-12, which it never sent") == 2


def test_a_report_of_wrong_order_shows_the_event_before() -> None:
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
        in violations(evidence)["I5"]
    )
