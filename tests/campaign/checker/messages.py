"""I1 to I3: acknowledged messages are there, nothing else is, and nothing twice."""

from collections import defaultdict
from collections.abc import Iterator

from tests.campaign.checker.verdict import Verdict
from tests.campaign.evidence import Evidence, MessageRow
from tests.campaign.frames import REPEATABLE
from tests.campaign.history import Acked, History, Refused, Sent

Key = tuple[str | None, str | None]  # sender, client_message_id


def acknowledged_are_stored(evidence: Evidence) -> Verdict:
    """I1: what was acknowledged is in the database, as acknowledged and with its text."""
    verdict = Verdict("I1")
    stored = {row.id: row for row in evidence.contents.messages}
    allowed = allowed_texts(evidence)
    for history, ack in _acks(evidence):
        row = stored.get(ack.message_id)
        if row is None:
            verdict.look(False, f"{ack.client_message_id} of {history.device} was acknowledged and is lost")
            continue
        as_acknowledged = (row.conversation_id, row.sequence, row.sender_id, row.client_message_id) == (
            ack.conversation_id, ack.sequence, history.user_id, ack.client_message_id
        )  # fmt: skip
        verdict.look(as_acknowledged, f"{row.id} is not stored as it was acknowledged: {row} against {ack}")
        verdict.look(
            row.text in allowed.get(row.id, ()), f"{row.id} holds {row.text!r}, not what was sent or changed last"
        )
    return verdict


def only_what_was_sent_is_stored(evidence: Evidence) -> Verdict:
    """I2: every message in the database was sent by its sender, and none of them was finally refused."""
    verdict = Verdict("I2")
    said = _texts_sent(evidence)
    refused = {
        (history.user_id, entry.client_message_id)
        for history in evidence.histories
        for entry in history.entries
        if isinstance(entry, Refused) and entry.code not in REPEATABLE
    }
    allowed = allowed_texts(evidence)
    for row in evidence.contents.messages:
        if row.sender_id is None:
            continue
        key = _key_of(row)
        verdict.look(key in said, f"{row.id} was sent by nobody: {row}")
        verdict.look(key not in refused, f"{row.id} is stored although it was refused: {row}")
        verdict.look(row.text in allowed.get(row.id, ()), f"{row.id} holds a text that nobody gave it: {row.text!r}")
    return verdict


def one_message_per_client_id(evidence: Evidence) -> Verdict:
    """I3: one message per sender and client_message_id; all its acks agree, and only one is of a first send."""
    verdict = Verdict("I3")
    rows: dict[Key, list[str]] = defaultdict(list)
    for row in evidence.contents.messages:
        if row.sender_id is not None:
            rows[_key_of(row)].append(row.id)
    for key, ids in rows.items():
        verdict.look(len(ids) == 1, f"{key} was stored {len(ids)} times: {ids}")
    acks: dict[tuple[str, str], list[Acked]] = defaultdict(list)
    for history, ack in _acks(evidence):
        acks[history.user_id, ack.client_message_id].append(ack)
    for key, several in acks.items():
        same = {(ack.message_id, ack.conversation_id, ack.sequence) for ack in several}
        verdict.look(len(same) == 1, f"acks of {key} disagree: {same}")
        firsts = sum(not ack.duplicate for ack in several)
        verdict.look(firsts <= 1, f"{key} was acknowledged as new {firsts} times")
    return verdict


def allowed_texts(evidence: Evidence) -> dict[str, set[str]]:
    """Return the texts that each stored message may have at the end: what was sent, or what changes made of it."""
    said = _texts_sent(evidence)
    allowed = {row.id: {said[key]} for row in evidence.contents.messages if (key := _key_of(row)) in said}
    for change in sorted(evidence.changes, key=lambda change: change.began):
        if change.message_id not in allowed or change.outcome == "refused":
            continue
        if change.outcome == "done":
            allowed[change.message_id] = set()
        allowed[change.message_id].add(change.text)
    return allowed


def _key_of(row: MessageRow) -> Key:
    return row.sender_id, row.client_message_id


def _texts_sent(evidence: Evidence) -> dict[Key, str]:
    return {
        (history.user_id, entry.client_message_id): entry.text
        for history in evidence.histories
        for entry in history.entries
        if isinstance(entry, Sent)
    }


def _acks(evidence: Evidence) -> Iterator[tuple[History, Acked]]:
    for history in evidence.histories:
        for entry in history.entries:
            if isinstance(entry, Acked):
                yield history, entry
