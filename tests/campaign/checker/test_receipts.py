"""I11: positions that go back, and positions that nobody can have, are found."""

from tests.campaign.checker.clean_run import GROUP
from tests.campaign.checker.planting import PlantedFaults, heard_later, innocent, plants
from tests.campaign.evidence import Evidence, ParticipantRow, ReceiptChangeRow, Snapshot
from tests.campaign.frames import Frame
from tests.campaign.history import Heard


@plants("I11")
def a_mark_goes_back(evidence: Evidence) -> None:
    evidence.contents.receipt_changes.append(ReceiptChangeRow(GROUP, "ben", "delivered", 4, 7))


@plants("I11")
def a_mark_passes_the_head(evidence: Evidence) -> None:
    evidence.contents.receipt_changes.append(ReceiptChangeRow(GROUP, "ben", "delivered", 12, 13))


@plants("I11")
def a_mark_is_written_that_moves_nothing(evidence: Evidence) -> None:
    evidence.contents.receipt_changes.append(ReceiptChangeRow(GROUP, "ben", "delivered", 12, 12))


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
    evidence.contents.participants[GROUP, "ben"] = ParticipantRow(True, 1, 7, 0)


@plants("I11")
def a_place_forgets_what_was_read(evidence: Evidence) -> None:
    for history in evidence.histories:
        history.entries = [
            entry for entry in history.entries if not isinstance(entry, Heard) or entry.frame.type != "message_read"
        ]
    evidence.contents.participants[GROUP, "ana"] = ParticipantRow(True, 1, 4, 2)


@plants("I11")
def a_stranger_has_a_mark(evidence: Evidence) -> None:
    evidence.contents.receipt_changes.append(ReceiptChangeRow(GROUP, "dan", "read", 0, 4))


@plants("I11")
def a_reader_saw_a_mark_go_back(evidence: Evidence) -> None:
    evidence.snapshots.append(Snapshot(12.96, GROUP, 12, 12, 12, (("ana", 4, 2), ("ben", 12, 0))))


@plants("I11")
def a_receipt_is_told_that_is_not_kept(evidence: Evidence) -> None:
    heard_later(
        evidence, "ana's phone", Heard(13.0, 1, Frame("message_read", GROUP, up_to_sequence=7, reader_id="ben"))
    )


@innocent
def a_delivery_that_is_told(evidence: Evidence) -> None:
    told = Frame("message_delivered", GROUP, up_to_sequence=12, user_id="ben")
    heard_later(evidence, "ana's phone", Heard(13.0, 1, told))


class TestPlanted(PlantedFaults):
    """Those of this file."""
