"""I11: read and delivery positions only rise, and only participants have them."""

from collections import defaultdict

from tests.campaign.checker.verdict import Verdict
from tests.campaign.checker.windows import windows_of
from tests.campaign.evidence import Evidence
from tests.campaign.history import Heard


def positions_only_rise(evidence: Evidence) -> Verdict:
    """I11: each change begins at or above the end of the last, none is beyond the head, and only members make them."""
    verdict = Verdict("I11")
    contents = evidence.contents
    windows = windows_of(evidence)
    last: dict[tuple[str, str, str], int] = defaultdict(int)
    for change in contents.receipt_changes:
        key = (change.conversation_id, change.user_id, change.kind)
        verdict.look(
            last[key] <= change.after < change.up_to <= contents.heads.get(change.conversation_id, 0),
            f"a position went from {last[key]} to {change}",
        )
        verdict.look(bool(windows.get(key[:2])), f"{change.user_id} was never in {change.conversation_id}: {change}")
        last[key] = max(last[key], change.up_to)
    for (conversation_id, user_id), participant in contents.participants.items():
        positions = {"delivered": participant.delivered, "read": participant.read}
        for kind, position in positions.items():
            moved = last[conversation_id, user_id, kind]
            # A later participant begins with positions at their joining, which no receipt made.
            verdict.look(
                position >= moved,
                f"the {kind} position of {user_id} in {conversation_id} is {position}, it was {moved} already",
            )
    _look_at_snapshots(evidence, verdict)
    for history in evidence.histories:
        for entry in history.entries:
            if isinstance(entry, Heard) and entry.frame.type in ("message_delivered", "message_read"):
                frame = entry.frame
                who = frame.reader_id or frame.user_id
                row = contents.participants.get((frame.conversation_id, who))
                position = -1
                if row is not None:
                    position = row.read if frame.type == "message_read" else row.delivered
                verdict.look(
                    frame.up_to_sequence <= position,
                    f"{history.device} heard {frame}, but that position of {who} is at {position}",
                )
    return verdict


def _look_at_snapshots(evidence: Evidence, verdict: Verdict) -> None:
    seen: dict[tuple[str, str], tuple[int, int]] = {}
    for snapshot in sorted(evidence.snapshots, key=lambda snapshot: snapshot.began):
        for user_id, delivered, read in snapshot.positions:
            key = (snapshot.conversation_id, user_id)
            before = seen.get(key, (0, 0))
            verdict.look(
                before[0] <= delivered and before[1] <= read,
                f"positions of {user_id} in {snapshot.conversation_id} went from {before} to {(delivered, read)}",
            )
            seen[key] = (delivered, read)
