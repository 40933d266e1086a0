"""Checks after the load: old messages are sent again, deleted texts are searched for, cursors lie beyond the head."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from uuid import uuid4

from tests.campaign.checker import Verdict, deleted_texts_are_gone
from tests.campaign.episode import Outcome
from tests.campaign.evidence import Evidence
from tests.campaign.rest import Rest
from tests.campaign.search import find_deleted
from tests.campaign.world import World

ASKED = 60  # messages, and cursors


async def final_checks(world: World, outcomes: Iterable[Outcome]) -> list[Verdict]:
    """Return verdicts on I3 (for ever), I12 and I17."""
    outcomes = list(outcomes)
    again, future = Verdict("I3"), Verdict("I17")
    rest, port = Rest(), world.processes[0].server.port
    try:
        for token, text, ack in [each for outcome in outcomes for each in outcome.sample][-ASKED:]:
            body = {
                "conversation_id": ack.conversation_id, "client_message_id": ack.client_message_id, "content": text
            }  # fmt: skip
            status, answer = await rest(port, token, "POST", "/messages", body)
            same = status == 200 and (answer["id"], answer["sequence"]) == (ack.message_id, ack.sequence)
            again.look(same, f"{ack} was sent once more at the end, and answered {status} {answer}")
            await _check_cursor_beyond_head(rest, port, token, ack.conversation_id, future)
    finally:
        await rest.close()
    deleted = [text for outcome in outcomes for text in outcome.deleted_texts]
    services = world.services
    files = [*world.folder.glob("*.log"), services.postgresql.folder / "log", services.redis.folder / "log"]
    found = await asyncio.to_thread(find_deleted, deleted, services.postgresql, world.database, services.redis, files)
    gone = deleted_texts_are_gone(Evidence(deleted_texts=deleted, found_texts=found))
    return [again, gone, future]


async def _check_cursor_beyond_head(rest: Rest, port: int, token: str, conversation_id: str, verdict: Verdict) -> None:
    """Sync with a cursor beyond the head or of another epoch, as after a restored backup: the answer must be resync."""
    status, body = await rest(port, token, "GET", f"/conversations/{conversation_id}")
    if status != 200:
        return  # left meanwhile
    beyond = body["last_sequence"] + 5
    status, answer = await rest(port, token, "POST", "/sync", {"cursors": {conversation_id: beyond}})
    verdict.look(
        status == 200 and conversation_id in answer["resync"],
        f"a cursor beyond the head was answered {status} {answer}",
    )
    former = {"cursors": {conversation_id: body["last_sequence"]}, "epoch": str(uuid4())}
    status, answer = await rest(port, token, "POST", "/sync", former)
    verdict.look(
        status == 200 and answer["resync"] == [conversation_id] and not answer["events"],
        f"a cursor of another epoch was answered {status} {answer}",
    )
    status, _ = await rest(port, token, "GET", f"/conversations/{conversation_id}/events?after={beyond}")
    verdict.look(status == 410, f"events beyond the head were answered {status}")
