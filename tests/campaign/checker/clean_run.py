"""A small run without faults, as evidence: what the checker's tests plant faults into.

Ana founds a group with Ben, adds Cleo, both talk, Ben edits, Ana deletes, Cleo is removed. Ana has two devices, and
had a third, which was revoked.

    1 created   2 system   3 ana "one"   4 ben "two"   5 cleo added   6 system   7 ben "three"
    8 "two" becomes "2"   9 "one" is deleted   10 cleo removed   11 system   12 ben "four"
"""

from tests.campaign.evidence import (
    Change,
    Contents,
    EventRow,
    Evidence,
    Membership,
    MessageRow,
    ParticipantRow,
    Peek,
    ReceiptChangeRow,
    Revocation,
    Snapshot,
)
from tests.campaign.frames import Body, Frame, Participant
from tests.campaign.history import Acked, Connected, Heard, Held, History, Loaded, Sent, SyncAsked, Synced

GROUP = "group"
SENT = {3: ("ana", "one"), 4: ("ben", "two"), 7: ("ben", "three"), 12: ("ben", "four")}


def message_id(sequence: int) -> str:
    return f"message-{sequence}"


def client_id(sequence: int) -> str:
    return f"client-{sequence}"


def body(sequence: int, text: str | None = None, *, deleted: bool = False) -> Body:
    sender, sent = SENT.get(sequence, (None, ""))
    return Body(
        id=message_id(sequence),
        sequence=sequence,
        content=sent if text is None else text,
        sender_user_id=sender,
        client_message_id=client_id(sequence) if sender else None,
        deleted_at="then" if deleted else None,
    )


def event(sequence: int) -> Frame:
    """The frame of an event, as everybody gets it."""
    match sequence:
        case 1:
            return Frame("conversation_created", GROUP, 1)
        case 5:
            return Frame("participant_added", GROUP, 5, participant=Participant("cleo", 4, 4))
        case 8:
            return Frame("message_updated", GROUP, 8, message=body(4, "2"))
        case 9:
            return Frame("message_deleted", GROUP, 9, message=body(3, "", deleted=True))
        case 10:
            return Frame("participant_removed", GROUP, 10, user_id="cleo")
    return Frame("new_message", GROUP, sequence, message=body(sequence))


def heard(sequence: int, *, at: float | None = None, socket: int = 1) -> Heard:
    return Heard(sequence + 0.5 if at is None else at, socket, event(sequence))


def sends(sequence: int) -> list[Sent | Acked]:
    text = SENT[sequence][1]
    return [
        Sent(sequence, 1, GROUP, client_id(sequence), text),
        Acked(sequence + 0.4, client_id(sequence), GROUP, message_id(sequence), sequence, False),
    ]


def clean_run() -> Evidence:
    """Make the evidence anew, to be spoiled."""
    ana, phone, ben, cleo = (
        History(f"{name}'s {device}", name)
        for name, device in (("ana", "laptop"), ("ana", "phone"), ("ben", "laptop"), ("cleo", "laptop"))
    )
    gone = History("ana's old phone", "ana", [Connected(0.0, 1, 0), heard(1)], {GROUP: Held(1)}, settled=False)
    for history in (ana, phone, ben):
        history.entries.append(Connected(0.0, 1, 0))
        for sequence in range(1, 13):
            if sequence in SENT and SENT[sequence][0] == history.user_id and history is not phone:
                history.entries += sends(sequence)
            history.entries.append(heard(sequence))
        history.entries += [
            Heard(12.6, 1, Frame("message_read", GROUP, up_to_sequence=4, reader_id="ana")),
            SyncAsked(13.0, 1, {GROUP: 12}),
            Synced(13.1, 1, {GROUP: 12}, [], {GROUP: 12}),
        ]
        history.holds[GROUP] = Held(12, 1, shown_at_the_end(), {"ana", "ben"}, {"ana": (4, 4), "ben": (12, 0)})
    cleo.entries += [
        Connected(0.0, 1, 0),
        heard(5),
        Loaded(5.6, 5.7, GROUP, 5, {}),
        Heard(5.8, 1, Frame("presence", user_id="ana")),
        Heard(5.9, 1, Frame("typing", GROUP, user_id="ana")),
        heard(6),
        heard(7),
        Heard(8.5, 1, Frame("event_hidden", GROUP, 8)),
        Heard(9.5, 1, Frame("event_hidden", GROUP, 9)),
        heard(10),
        Heard(13.5, 1, Frame("presence", user_id="ana")),
    ]
    events = [event_row(sequence) for sequence in range(1, 13)]
    return Evidence(
        founders={GROUP: {"ana", "ben"}},
        histories=[gone, ana, phone, ben, cleo],
        contents=Contents(
            heads={GROUP: 12},
            messages=[row(sequence) for sequence in (2, 3, 4, 6, 7, 11, 12)],
            events={GROUP: events},
            participants={
                (GROUP, "ana"): ParticipantRow(True, 1, 4, 4),
                (GROUP, "ben"): ParticipantRow(True, 1, 12, 0),
                (GROUP, "cleo"): ParticipantRow(False, 5, 4, 4),
            },
            receipt_changes=[
                ReceiptChangeRow(GROUP, "ana", "delivered", 0, 4),
                ReceiptChangeRow(GROUP, "ana", "read", 0, 4),
                ReceiptChangeRow(GROUP, "ben", "delivered", 0, 7),
                ReceiptChangeRow(GROUP, "ben", "delivered", 7, 12),
            ],
        ),
        changes=[
            Change(8.0, 8.4, message_id(4), "2", "done"),
            Change(9.0, 9.4, message_id(3), "", "done"),
        ],
        memberships=[
            Membership(5.0, 5.4, GROUP, "cleo", True, "done"),
            Membership(10.0, 10.4, GROUP, "cleo", False, "done"),
        ],
        peeks=[
            Peek(1.0, 1.2, "cleo", GROUP, "/events", 404),
            Peek(6.0, 6.2, "cleo", GROUP, "/events", 200, ("three",)),
            Peek(11.0, 11.2, "cleo", GROUP, "/messages", 404),
        ],
        revocations=[Revocation(12.9, "cleo's laptop", 1.0)],
        snapshots=[
            Snapshot(4.45, GROUP, 4, 4, 4, (("ana", 0, 0), ("ben", 0, 0))),
            Snapshot(12.95, GROUP, 12, 12, 12, (("ana", 4, 4), ("ben", 12, 0))),
        ],
        deleted_texts=["one"],
    )


def row(sequence: int) -> MessageRow:
    sender, text = SENT.get(sequence, (None, ""))
    text = {3: "", 4: "2"}.get(sequence, text)
    mine = client_id(sequence) if sender else None
    return MessageRow(message_id(sequence), GROUP, sequence, sender, mine, text, deleted=sequence == 3)


def event_row(sequence: int) -> EventRow:
    match sequence:
        case 1:
            return EventRow(1, "conversation_created", 1)
        case 5:
            return EventRow(5, "participant_added", 5, user_id="cleo")
        case 8:
            return EventRow(8, "message_updated", 4, message_id(4))
        case 9:
            return EventRow(9, "message_deleted", 3, message_id(3))
        case 10:
            return EventRow(10, "participant_removed", 10, user_id="cleo")
    return EventRow(sequence, "new_message", sequence, message_id(sequence))


def shown_at_the_end() -> dict[int, tuple[str, str]]:
    """What a member of the whole time holds: sequence -> (id, text)."""
    return {sequence: (message_id(sequence), row(sequence).text) for sequence in (2, 3, 4, 6, 7, 11, 12)}
