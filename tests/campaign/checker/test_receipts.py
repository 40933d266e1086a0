"""I11: positions that go back, and positions that nobody can have, are found."""

from tests.campaign.checker.clean_run import GROUP
from tests.campaign.checker.planting import PlantedFaults, heard_later, planted_fault, valid_change
from tests.campaign.evidence import Evidence, ParticipantRow, ReceiptChangeRow, Snapshot
from tests.campaign.frames import Frame
from tests.campaign.history import Heard


@planted_fault("I11")
def a_mark_goes_back(evidence: Evidence) -> None:
    evidence.contents.receipt_changes.append(ReceiptChangeRow(GROUP, "ben", "delivered", 4, 7))


@planted_fault("I11")
def a_mark_passes_the_head(evidence: Evidence) -> None:
    evidence.contents.receipt_changes.append(ReceiptChangeRow(GROUP, "ben", "delivered", 12, 13))


@planted_fault("I11")
def a_mark_is_written_that_moves_nothing(evidence: Evidence) -> None:
    evidence.contents.receipt_changes.append(ReceiptChangeRow(GROUP, "ben", "delivered", 12, 12))


@planted_fault("I11")
def a_reader_saw_a_delivery_go_back(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(12.96, GROUP, 12, 12, 12, (("ana", 4, 4), ("ben", 7, 0))))


@planted_fault("I11")
def an_announced_delivery_is_not_stored(evidence: Evidence) -> None:
    heard_later(
        evidence, "ana's phone", Heard(13.0, 1, Frame("message_delivered", GROUP, up_to_sequence=12, user_id="ana"))
    )


@planted_fault("I11")
def a_strangers_receipt_is_announced(evidence: Evidence) -> None:
    heard_later(evidence, "ana's phone", Heard(13.0, 1, Frame("message_read", GROUP, reader_id="dan")))


@planted_fault("I11")
def a_participant_row_lost_a_delivery_position(evidence: Evidence) -> None:
    evidence.contents.participants[GROUP, "ben"] = ParticipantRow(True, 1, 7, 0)


@planted_fault("I11")
def a_participant_row_lost_a_read_position(evidence: Evidence) -> None:
    for history in evidence.histories:
        history.entries = [
            entry for entry in history.entries if not isinstance(entry, Heard) or entry.frame.type != "message_read"
        ]
    evidence.contents.participants[GROUP, "ana"] = ParticipantRow(True, 1, 4, 2)


@planted_fault("I11")
def a_stranger_has_a_mark(evidence: Evidence) -> None:
    evidence.contents.receipt_changes.append(ReceiptChangeRow(GROUP, "dan", "read", 0, 4))


@planted_fault("I11")
def a_reader_saw_a_mark_go_back(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(12.96, GROUP, 12, 12, 12, (("ana", 4, 2), ("ben", 12, 0))))


@planted_fault("I11")
def an_announced_read_is_not_stored(evidence: Evidence) -> None:
    heard_later(
        evidence, "ana's phone", Heard(13.0, 1, Frame("message_read", GROUP, up_to_sequence=7, reader_id="ben"))
    )


@valid_change
def an_announced_delivery(evidence: Evidence) -> None:
    told = Frame("message_delivered", GROUP, up_to_sequence=12, user_id="ben")
    heard_later(evidence, "ana's phone", Heard(13.0, 1, told))


class TestPlanted(PlantedFaults):
    """Those of this file."""
