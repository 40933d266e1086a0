"""I6 and I10: after `sync` a device holds exactly the log that it may see, and events lead to the state."""

from bisect import bisect_right
from collections import defaultdict, deque

from tests.campaign.checker.verdict import Verdict
from tests.campaign.checker.windows import FOREVER, windows_of
from tests.campaign.evidence import Evidence
from tests.campaign.history import History, SyncAsked, Synced, SyncRefused


def synced_is_complete(evidence: Evidence) -> Verdict:
    """I6: after `sync_complete` no cursor is behind its head, and at the end each device holds the log it may see."""
    verdict = Verdict("I6")
    contents = evidence.contents
    windows = windows_of(evidence)
    messages: dict[str, dict[int, tuple[str, str]]] = {conversation_id: {} for conversation_id in contents.heads}
    for row in contents.messages:
        messages.setdefault(row.conversation_id, {})[row.sequence] = (row.id, row.text)
    for history in evidence.histories:
        _look_at_syncs(history, verdict)
        if not history.settled:
            continue
        mine = {
            conversation_id
            for (conversation_id, user_id), several in windows.items()
            if user_id == history.user_id and several and several[-1].last == FOREVER
        }
        verdict.look(
            mine == history.holds.keys(),
            f"{history.device} holds {_difference(history.holds.keys(), mine)} that it should not, "
            f"and lacks {_difference(mine, history.holds.keys())}",
        )
        for conversation_id in mine & history.holds.keys():
            held = history.holds[conversation_id]
            head = contents.heads[conversation_id]
            verdict.look(
                held.cursor == head, f"{history.device} is at {held.cursor} of {conversation_id}, whose head is {head}"
            )
            first = max(windows[conversation_id, history.user_id][-1].first, held.floor)
            wanted = {sequence: row for sequence, row in messages[conversation_id].items() if sequence >= first}
            have = {sequence: row for sequence, row in held.messages.items() if sequence >= first}
            verdict.checked += len(wanted)
            for sequence in sorted(wanted.keys() | have.keys()):
                if wanted.get(sequence) != have.get(sequence):
                    verdict.blame(
                        f"{history.device} holds {have.get(sequence)} at {sequence} of {conversation_id}, "
                        f"the database {wanted.get(sequence)}"
                    )
    return verdict


def _look_at_syncs(history: History, verdict: Verdict) -> None:
    """Check only the conversations that each sync named; it does not cover what was loaded meanwhile."""
    asked: dict[int, deque[dict[str, int]]] = defaultdict(deque)  # socket -> cursors of each sync, in order
    for entry in history.entries:
        if isinstance(entry, SyncAsked):
            asked[entry.socket].append(entry.cursors)
        elif isinstance(entry, SyncRefused) and asked[entry.socket]:
            asked[entry.socket].popleft()
        elif isinstance(entry, Synced):
            about = asked[entry.socket].popleft() if asked[entry.socket] else {}
            for conversation_id in about.keys() & entry.heads.keys() & entry.cursors.keys() - set(entry.resync):
                cursor, head = entry.cursors[conversation_id], entry.heads[conversation_id]
                verdict.look(
                    cursor >= head,
                    f"after a sync {history.device} was at {cursor} of {conversation_id}, whose head was {head}",
                )


def replay_equals_rows(evidence: Evidence) -> Verdict:
    """I10: participants and positions that a device derived from events are those in the database."""
    verdict = Verdict("I10")
    members: dict[str, set[str]] = {}
    for (conversation_id, user_id), participant in evidence.contents.participants.items():
        if participant.member:
            members.setdefault(conversation_id, set()).add(user_id)
    newest: dict[str, list[int]] = {}
    for row in evidence.contents.messages:
        newest.setdefault(row.conversation_id, []).append(row.sequence)
    for numbers in newest.values():
        numbers.sort()
    for history in evidence.histories:
        if not history.settled:
            continue
        for conversation_id, held in history.holds.items():
            verdict.look(
                held.members == members.get(conversation_id, set()),
                f"{history.device} takes {held.members} for the members of {conversation_id}, "
                f"they are {members.get(conversation_id)}",
            )
            own = evidence.contents.participants.get((conversation_id, history.user_id))
            first = own.history_from if own is not None else 1
            shown = [number for number in newest.get(conversation_id, []) if number >= first]
            for user_id in held.members & members.get(conversation_id, set()):
                theirs = evidence.contents.participants[conversation_id, user_id]
                if user_id == history.user_id:
                    continue  # a device does not track its own person's positions
                mine = held.positions.get(user_id, (0, 0))
                wanted = (_covered(shown, theirs.delivered), _covered(shown, theirs.read))
                have = (_covered(shown, mine[0]), _covered(shown, mine[1]))
                verdict.look(
                    have == wanted,
                    f"{history.device} takes {user_id}'s positions in {conversation_id} for {have}, they are {wanted}",
                )
    return verdict


def _covered(numbers: list[int], position: int) -> int:
    """Return the newest message that a position covers: a later member is not sent the changes before they joined."""
    count = bisect_right(numbers, position)
    return numbers[count - 1] if count else 0


def _difference(one: object, other: object) -> list[str]:
    return sorted(set(one) - set(other))[:5]  # type: ignore[call-overload]
