"""I11: read and delivery positions only rise, and only participants have them."""

from collections import defaultdict

from tests.campaign.checker.verdict import Verdict
from tests.campaign.checker.windows import windows_of
from tests.campaign.evidence import Evidence
from tests.campaign.history import Heard


def marks_only_rise(evidence: Evidence) -> Verdict:
    """I11: each move begins where the one before ended or above, none passes the head, members alone make them."""
    verdict = Verdict("I11")
    contents = evidence.contents
    windows = windows_of(evidence)
    last: dict[tuple[str, str, str], int] = defaultdict(int)
    for move in contents.moves:
        key = (move.conversation_id, move.user_id, move.kind)
        verdict.look(
            last[key] <= move.after < move.up_to <= contents.heads.get(move.conversation_id, 0),
            f"a mark went from {last[key]} as {move}",
        )
        verdict.look(bool(windows.get(key[:2])), f"{move.user_id} was never in {move.conversation_id}: {move}")
        last[key] = max(last[key], move.up_to)
    for (conversation_id, user_id), place in contents.places.items():
        marks = {"delivered": place.delivered, "read": place.read}
        for kind, mark in marks.items():
            moved = last[conversation_id, user_id, kind]
            # A later participant begins with positions at their joining, which no receipt made.
            verdict.look(
                mark >= moved, f"the {kind} mark of {user_id} in {conversation_id} is {mark}, it was {moved} already"
            )
    _look_at_snapshots(evidence, verdict)
    for history in evidence.histories:
        for entry in history.entries:
            if isinstance(entry, Heard) and entry.frame.type in ("message_delivered", "message_read"):
                frame = entry.frame
                who = frame.reader_id or frame.user_id
                place_or_none = contents.places.get((frame.conversation_id, who))
                mark = -1
                if place_or_none is not None:
                    mark = place_or_none.read if frame.type == "message_read" else place_or_none.delivered
                verdict.look(
                    frame.up_to_sequence <= mark,
                    f"{history.device} heard {frame}, but that mark of {who} is at {mark}",
                )
    return verdict


def _look_at_snapshots(evidence: Evidence, verdict: Verdict) -> None:
    seen: dict[tuple[str, str], tuple[int, int]] = {}
    for snapshot in sorted(evidence.snapshots, key=lambda snapshot: snapshot.began):
        for user_id, delivered, read in snapshot.marks:
            key = (snapshot.conversation_id, user_id)
            before = seen.get(key, (0, 0))
            verdict.look(
                before[0] <= delivered and before[1] <= read,
                f"marks of {user_id} in {snapshot.conversation_id} went from {before} to {(delivered, read)}",
            )
            seen[key] = (delivered, read)
