"""I8, I9 and I12: nobody gets what they may not see, revoked devices get nothing, deleted texts are gone."""

from collections import defaultdict

from tests.campaign.checker.verdict import Verdict
from tests.campaign.checker.windows import Windows, window_at, windows_of
from tests.campaign.evidence import Evidence
from tests.campaign.history import Closed, Connected, Heard, History, Loaded, SyncAsked, Synced


def nobody_sees_too_much(evidence: Evidence) -> Verdict:
    """I8: frames and answers are for members only, from their history start on, without deleted texts."""
    verdict = Verdict("I8")
    windows = windows_of(evidence)
    old_texts = _old_texts(evidence)
    ended_at = _deleted_at(evidence)
    for history in evidence.histories:
        _look_at_memberships(history, windows, verdict)
        _look_for_the_deleted(history, old_texts, ended_at, verdict)
    _look_at_peeks(evidence, verdict)
    return verdict


def _look_at_memberships(history: History, windows: Windows, verdict: Verdict) -> None:
    removed: set[tuple[int, str]] = set()  # (socket, conversation)
    for entry in history.entries:
        if not isinstance(entry, Heard):
            continue
        frame = entry.frame
        conversation_id = frame.conversation_id
        here = (entry.socket, conversation_id)
        if not conversation_id:
            continue  # presence, which is about people
        if not frame.sequence:
            # Receipts and typing have no sequence. A person who was never a member, or was removed, must not get them.
            verdict.look(
                bool(windows.get((conversation_id, history.user_id))) and here not in removed,
                f"{history.device} heard {frame} of a conversation that it is not in",
            )
            continue
        window = window_at(windows, conversation_id, history.user_id, frame.sequence)
        if window is None:
            verdict.look(False, f"{history.device} heard {frame} while not being a member")
            continue
        subject = frame.message.sequence if frame.message is not None else frame.sequence
        verdict.look(
            subject >= window.first,
            f"{history.device} heard {frame}, about what lies before its history start {window.first}",
        )
        if frame.type == "participant_added" and frame.participant and frame.participant.user_id == history.user_id:
            removed.discard(here)
        verdict.look(here not in removed, f"{history.device} heard {frame} after it had heard of its removal")
        if frame.type == "participant_removed" and frame.user_id == history.user_id:
            removed.add(here)


def _look_for_the_deleted(
    history: History, old_texts: dict[str, set[str]], ended_at: dict[str, float], verdict: Verdict
) -> None:
    """A text must not come back after the device heard of its deletion, nor in an answer asked for after it."""
    known_deleted: set[str] = set()
    asked_at: float | None = None
    for entry in history.entries:
        if isinstance(entry, SyncAsked):
            asked_at = entry.at
        elif isinstance(entry, Synced | Closed | Connected):
            asked_at = None
        elif isinstance(entry, Loaded):
            for message_id, text in entry.texts.items():
                resurrected = text in old_texts.get(message_id, ()) and entry.began > ended_at.get(message_id, 1e18)
                verdict.look(not resurrected, f"{history.device} loaded {text!r} of the deleted {message_id}")
        elif isinstance(entry, Heard) and entry.frame.message is not None:
            message = entry.frame.message
            if message.id in old_texts:
                gone = message.id in known_deleted or (asked_at or 0.0) > ended_at.get(message.id, 1e18)
                verdict.look(
                    not (gone and message.content in old_texts[message.id]),
                    f"{history.device} heard {message.content!r} of the deleted {message.id}",
                )
            if entry.frame.type == "message_deleted":
                verdict.look(message.content == "", f"{history.device} heard of a deletion together with the text")
                known_deleted.add(message.id)


def _look_at_peeks(evidence: Evidence, verdict: Verdict) -> None:
    changes: dict[tuple[str, str], list[tuple[float, float, bool]]] = defaultdict(list)
    for each in evidence.memberships:
        if each.outcome != "refused":
            # A change without an answer may have taken effect at any time since its request.
            ended = each.ended if each.outcome == "done" else 1e18
            changes[each.conversation_id, each.user_id].append((each.began, ended, each.joins))
    for peek in evidence.peeks:
        inside = peek.user_id in evidence.founders.get(peek.conversation_id, ())
        certain = True
        for began, ended, joins in sorted(changes[peek.conversation_id, peek.user_id]):
            if ended <= peek.began:
                inside = joins
            elif began < peek.ended:
                certain = False
        if certain and not inside:
            # 0: no answer. 401 and 404 show nothing. 429 and 503: not executed.
            verdict.look(
                peek.status in (0, 401, 404, 429, 503) and not peek.texts,
                f"{peek.user_id} is not in {peek.conversation_id} and was answered {peek.status} at {peek.path}: "
                f"{peek.texts[:3]}",
            )


def _old_texts(evidence: Evidence) -> dict[str, set[str]]:
    """Return all texts that each deleted message ever had, by message id."""
    deleted = {row.id: row for row in evidence.contents.messages if row.deleted}
    texts: dict[str, set[str]] = {message_id: set() for message_id in deleted}
    for change in evidence.changes:
        if change.message_id in texts and change.text:
            texts[change.message_id].add(change.text)
    for history in evidence.histories:
        for entry in history.entries:
            message = entry.frame.message if isinstance(entry, Heard) else None
            if message is not None and message.id in texts and message.content:
                texts[message.id].add(message.content)
    return texts


def _deleted_at(evidence: Evidence) -> dict[str, float]:
    """Return when the deletion of each message was confirmed."""
    return {each.message_id: each.ended for each in evidence.changes if not each.text and each.outcome == "done"}


def revoked_are_silent(evidence: Evidence) -> Verdict:
    """I9: after its session was revoked a device hears nothing more, within the time given."""
    verdict = Verdict("I9")
    histories = {history.device: history for history in evidence.histories}
    for revocation in evidence.revocations:
        history = histories[revocation.device]
        late = [
            entry
            for entry in history.entries
            if isinstance(entry, Heard | Connected | Synced) and entry.at > revocation.at + revocation.within
        ]
        verdict.look(
            not late,
            f"{revocation.device} heard {len(late)} frames later than {revocation.within:g} s after its revocation, "
            f"the last {max((entry.at for entry in late), default=0.0) - revocation.at:.1f} s after it",
        )
    return verdict


def deleted_texts_are_gone(evidence: Evidence) -> Verdict:
    """I12: a text that was deleted is in no table, key or log."""
    verdict = Verdict("I12")
    for text in evidence.deleted_texts:
        place = evidence.found_texts.get(text)
        verdict.look(place is None, f"the deleted {text!r} is still in {place}")
    return verdict
