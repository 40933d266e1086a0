"""Apple is down for a while: others do not wait, nothing is lost, and each conversation gets its newest push."""

import asyncio

from tests.harness.people import People
from tests.pushing.failures import each_once, no_task_failed, on_one, shown_on
from tests.pushing.stage import Stage, becomes, has_android, has_iphone, writes


def breaker(stage: Stage) -> tuple[int, bool]:
    """Return how often Apple has failed in a row, and whether its breaker is open."""
    rows = stage.site.rows("SELECT failures, open_until FROM notifications_breaker WHERE name = 'apns'")
    return (rows[0][0], rows[0][1] is not None) if rows else (0, False)


@on_one
async def test_while_apple_is_dead_google_delivers_and_afterwards_all_come(stage: Stage, people: People) -> None:
    apns, fcm = stage.providers.apns, stage.providers.fcm
    healthy = no_task_failed(stage)
    async with people("ana", "ben", "cat", connected=False) as (ana, ben, cat):
        phone = await has_iphone(ben, apns)
        android = await has_android(cat, fcm)
        apns.stop()
        talks = [await ana.gathers(ben, cat) for _ in range(8)]
        for talk in talks[:5]:
            await writes(ana, talk)
        await becomes(lambda: breaker(stage)[1], lambda: stage.description(ben))
        assert breaker(stage)[0] >= 5
        # From here on nothing is sent to Apple. One conversation gets three messages; in another the newest of three is
        # deleted; in the last all are read.
        several, deleted, read = talks[5:]
        written: dict[str, list[str]] = {}
        for talk in (several, deleted, read):
            written[talk["id"]] = [(await writes(ana, talk, text))["id"] for text in ("one", "two", "three")]
        # Apple is still dead, so Google does not wait for it.
        await asyncio.to_thread(fcm.waits_for, lambda _: shown_on(fcm, android).keys() == each_once(talks).keys())
        waiting = {"later", "superseded"}
        await becomes(
            lambda: len(found := stage.outcomes(ben)) == 14 and set(found) <= waiting, lambda: stage.description(ben)
        )
        await ana.deletes(f"/messages/{written[deleted['id']][-1]}", **{"for": "everyone"})
        await ben.posts(f"/messages/{written[read['id']][-1]}/read")
        apns.start()
        stage.time_passes(60)
        final = ["sent"] * 5 + ["superseded", "superseded", "sent"] + ["superseded", "sent", "deleted"] + ["read"] * 3
        await stage.comes_to(ben, *final)
        assert breaker(stage) == (0, False)
        assert shown_on(apns, phone) == each_once(talks[:7])
        last = {record.payload["conversation_id"]: record.payload["message_id"] for record in apns.delivered(phone)}
        assert last[several["id"]] == written[several["id"]][2]
        assert last[deleted["id"]] == written[deleted["id"]][1]
    healthy()
