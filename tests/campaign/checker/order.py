"""I4 and I5: numbers without gaps, and one order for everybody."""

from collections import defaultdict, deque

from tests.campaign.checker.verdict import Verdict
from tests.campaign.evidence import EventRow, Evidence
from tests.campaign.history import Acked, Connected, Heard, History, Sent, SyncAsked, Synced, SyncRefused


def sequences_have_no_gaps(evidence: Evidence) -> Verdict:
    """I4: each log is 1..last; each snapshot is a prefix and has everything acknowledged before it began."""
    verdict = Verdict("I4")
    contents = evidence.contents
    for conversation_id, head in contents.heads.items():
        numbers = [event.sequence for event in contents.events.get(conversation_id, [])]
        verdict.look(
            numbers == list(range(1, head + 1)),
            f"the log of {conversation_id} is not 1..{head}: {_first_break(numbers)}",
        )
    for row in contents.messages:
        verdict.look(0 < row.sequence <= contents.heads.get(row.conversation_id, 0), f"{row} lies beyond the head")
    acks = sorted(
        (entry.at, entry.conversation_id, entry.sequence)
        for history in evidence.histories
        for entry in history.entries
        if isinstance(entry, Acked)
    )
    acknowledged: dict[str, int] = {}
    position = 0
    for snapshot in sorted(evidence.snapshots, key=lambda snapshot: snapshot.began):
        while position < len(acks) and acks[position][0] < snapshot.began:
            _, conversation_id, sequence = acks[position]
            acknowledged[conversation_id] = max(acknowledged.get(conversation_id, 0), sequence)
            position += 1
        verdict.look(
            snapshot.events == snapshot.highest == snapshot.head, f"a snapshot is not a prefix of the log: {snapshot}"
        )
        due = acknowledged.get(snapshot.conversation_id, 0)
        verdict.look(snapshot.head >= due, f"{due} was acknowledged before this snapshot: {snapshot}")
    for fault in evidence.integrity_faults:
        verdict.blame(fault)
    return verdict


def everybody_sees_one_order(evidence: Evidence) -> Verdict:
    """I5: a sequence is the same event on every device; sockets get events, and a sender's messages, in order."""
    verdict = Verdict("I5")
    logged = {
        (conversation_id, event.sequence): event
        for conversation_id, events in evidence.contents.events.items()
        for event in events
    }
    for history in evidence.histories:
        _look_at_frames(history, logged, verdict)
        _look_at_sends(history, verdict)
    return verdict


def _look_at_frames(history: History, logged: dict[tuple[str, int], EventRow], verdict: Verdict) -> None:
    """Check that events that are new on a socket come in order. Repetitions are allowed: devices ignore them.

    Events up to the cursor of a socket's first sync count as repetitions, too.
    During a sync, its events may be lower than live events that came before: they follow the cursor.
    """
    came: dict[tuple[int, str], set[int]] = defaultdict(set)  # (socket, conversation) -> numbers
    highest: dict[tuple[int, str], int] = defaultdict(int)
    had: dict[tuple[int, str], int] = {}  # (socket, conversation) -> the cursor from which it was asked first
    under_way: dict[int, deque[dict[str, int]]] = defaultdict(deque)  # socket -> cursors of each sync, in order
    for position, entry in enumerate(history.entries):
        if isinstance(entry, SyncAsked):
            under_way[entry.socket].append(entry.cursors)
            for conversation_id, cursor in entry.cursors.items():
                had.setdefault((entry.socket, conversation_id), cursor)
        elif isinstance(entry, Synced | SyncRefused):
            if under_way[entry.socket]:
                under_way[entry.socket].popleft()
        elif isinstance(entry, Heard) and entry.frame.sequence:
            frame = entry.frame
            event = logged.get((frame.conversation_id, frame.sequence))
            if event is None:
                verdict.look(False, f"{history.device} heard of {frame}, which is not in the log")
                continue
            same = frame.type == "event_hidden" or (
                frame.type == event.kind and (frame.message is None or frame.message.id == event.message_id)
            )
            verdict.look(same, f"{history.device} heard {frame} where the log has {event}")
            key = (entry.socket, frame.conversation_id)
            if frame.sequence in came[key] or frame.sequence <= had.get(key, 0):
                continue
            before = frame.sequence - 1
            follows = under_way[entry.socket] and (
                before in came[key] or before == under_way[entry.socket][0].get(frame.conversation_id)
            )
            right = frame.sequence > highest[key] or bool(follows)
            verdict.look(right, "" if right else _out_of_order(history, position, highest[key]))
            came[key].add(frame.sequence)
            highest[key] = max(highest[key], frame.sequence)


def _out_of_order(history: History, position: int, highest: int) -> str:
    """Describe the late event, and what the device received and asked about the conversation just before."""
    entry = history.entries[position]
    assert isinstance(entry, Heard)
    conversation_id, before = entry.frame.conversation_id, []
    for each in history.entries[max(0, position - 3000) : position]:
        if isinstance(each, Heard) and each.frame.conversation_id == conversation_id and each.frame.sequence:
            before.append(f"{each.frame.type} {each.frame.sequence} on {each.socket} at {each.at:.3f}")
        elif isinstance(each, SyncAsked):
            before.append(f"sync from {each.cursors.get(conversation_id)} on {each.socket} at {each.at:.3f}")
        elif isinstance(each, Synced):
            before.append(f"synced to {each.heads.get(conversation_id)} on {each.socket} at {each.at:.3f}")
        elif isinstance(each, Connected | SyncRefused):
            before.append(f"{type(each).__name__} {each.socket} at {each.at:.3f}")
    return (
        f"on socket {entry.socket} of {history.device} {entry.frame.type} {entry.frame.sequence} of {conversation_id} "
        f"came first after {highest}, at {entry.at:.3f}; before it: {'; '.join(before[-15:])}"
    )


def _look_at_sends(history: History, verdict: Verdict) -> None:
    """Check that each message of a device has a higher sequence than all acknowledged before it was first sent."""
    acknowledged: dict[str, int] = {}
    sent_after: dict[str, int] = {}
    for entry in history.entries:
        if isinstance(entry, Sent):
            sent_after.setdefault(entry.client_message_id, acknowledged.get(entry.conversation_id, 0))
        elif isinstance(entry, Acked):
            before = sent_after.get(entry.client_message_id)
            if before is None:
                verdict.blame(f"{history.device} was acknowledged {entry.client_message_id}, which it never sent")
                continue
            # A repeated ack of an old message comes after newer ones; it says what the first one said.
            if not entry.duplicate:
                verdict.look(
                    entry.sequence > before,
                    f"{history.device} sent {entry.client_message_id} after {before} was acknowledged, "
                    f"and it became {entry.sequence}",
                )
            acknowledged[entry.conversation_id] = max(acknowledged.get(entry.conversation_id, 0), entry.sequence)


def _first_break(numbers: list[int]) -> str:
    for expected, number in enumerate(numbers, 1):
        if number != expected:
            return f"{number} where {expected} was due"
    return f"it ends with {len(numbers)}"
