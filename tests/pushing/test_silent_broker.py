"""Every connection to the broker goes silent without an end: neither publishers nor listeners wait for ever."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.harness.people import People
from tests.harness.proxy import proxied
from tests.harness.rabbitmq import RabbitMQ
from tests.harness.services import Services
from tests.pushing.failures import each_once, shown_on
from tests.pushing.stage import Providers, Stage, has_iphone, writes

# A listener gives a connection up after two and a half heartbeats of ten seconds, a publisher after five seconds.


@pytest.fixture
def own_rabbitmq() -> Iterator[RabbitMQ]:
    """A broker for this test alone."""
    broker = RabbitMQ()
    broker.start()
    yield broker
    broker.stop()


@pytest.mark.long
async def test_pushes_go_on_though_every_connection_to_the_broker_is_stranded(
    services: Services, providers: Providers, own_rabbitmq: RabbitMQ
) -> None:
    async with proxied(own_rabbitmq.url) as (url, proxy):
        stage = Stage("production", services, providers, CELERY_BROKER_URL=url)
        await asyncio.to_thread(stage.start)
        try:
            async with People(stage.site)("ana", "ben", connected=False) as (ana, ben):
                phone = await has_iphone(ben, providers.apns)
                talks = [await ana.gathers(ben) for _ in range(2)]
                await writes(ana, talks[0])
                await stage.comes_to(ben, "sent")
                proxy.strand()
                begun = time.monotonic()
                await writes(ana, talks[1])
                await stage.comes_to(ben, "sent", "sent")
                assert time.monotonic() - begun > 5, "the line was not silent"
                assert shown_on(providers.apns, phone) == each_once(talks)
        finally:
            await asyncio.to_thread(stage.stop)
