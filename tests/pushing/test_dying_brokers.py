"""The broker dies or hangs, before pushes and amid them: all of them come after its return, and once."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.harness.people import People
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.redis import Redis
from tests.pushing.failures import each_once, heal, no_task_failed, on, on_each_broker, shown_on
from tests.pushing.stage import Stage, becomes, has_iphone, writes


@pytest.fixture
def broker(stage: Stage, request: pytest.FixtureRequest) -> Iterator[RabbitMQ | Redis]:
    """The broker of the stage. It runs again afterwards, and no task may have failed meanwhile."""
    is_rabbitmq = stage.site.environment["CELERY_BROKER_URL"].startswith("amqp")
    carrier = request.getfixturevalue("rabbitmq") if is_rabbitmq else stage.site.redis
    healthy = no_task_failed(stage)
    yield carrier
    heal(stage, carrier)
    healthy()


@on_each_broker
async def test_a_broker_killed_during_pushes_loses_none(stage: Stage, people: People, broker: RabbitMQ | Redis) -> None:
    apns = stage.providers.apns
    async with people("ana", "ben", "cat", connected=False) as (ana, ben, cat):
        devices = [ben, *[await ben.another_device(f"phone {number}", connected=False) for number in range(23)]]
        phones = [await has_iphone(device, apns) for device in devices]
        late_phone = await has_iphone(cat, apns)
        talk, late = await ana.talks_to(ben), await ana.talks_to(cat)
        apns.fails("slow", seconds=2)
        await writes(ana, talk)
        # They are queued together, and are more than the worker takes from the broker at a time. Once each of its
        # threads pushes, all are queued.
        apns.waits_for(lambda found: len(found) >= stage.workers[0].concurrency)
        assert len(stage.outcomes(ben)) == len(phones)
        noted = len(stage.workers[0].log())
        with stage.paused():
            broker.kill()
            assert stage.outcomes(ben).count("sent") <= 8, "it was not amid them"
        await writes(ana, late)
        apns.works()
        await becomes(lambda: "onnection" in stage.workers[0].log()[noted:], lambda: stage.description(ben))
        await asyncio.to_thread(broker.start)
        stage.time_passes(30)
        await stage.comes_to(ben, *["sent"] * len(phones))
        await stage.comes_to(cat, "sent")
        assert [shown_on(apns, phone) for phone in phones] == [each_once([talk])] * len(phones)
        assert shown_on(apns, late_phone) == each_once([late])


@on_each_broker
async def test_a_broker_that_hangs_for_seconds_loses_no_push(
    stage: Stage, people: People, broker: RabbitMQ | Redis
) -> None:
    apns = stage.providers.apns
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, apns)
        talks = [await ana.gathers(ben) for _ in range(6)]
        await writes(ana, talks[0])
        await stage.comes_to(ben, "sent")
        broker.program.freeze()
        for talk in talks[1:]:
            await writes(ana, talk)
        await asyncio.sleep(6)  # that is the fault
        assert len(shown_on(apns, phone)) == 1, "the broker was not needed"
        broker.program.thaw()
        await stage.comes_to(ben, *["sent"] * 6)
        assert shown_on(apns, phone) == each_once(talks)


@on(("production", "rabbitmq"))
async def test_without_redis_pushes_go_on_and_nobody_counts_as_active(
    stage: Stage, people: People, broker: RabbitMQ | Redis
) -> None:
    apns = stage.providers.apns
    async with people("ana", "ben", connected=False) as (ana, ben):
        phone = await has_iphone(ben, apns)
        talk = await ana.talks_to(ben)
        assert stage.site.redis is not None
        stage.site.redis.kill()
        await writes(ana, talk)
        await stage.comes_to(ben, "sent")
        assert shown_on(apns, phone) == each_once([talk])
