"""The process that pushes dies, at every point of a push: each device shows each message once after its return."""

import asyncio
import time
from typing import Any

from tests.harness.people import People
from tests.harness.product import PROJECT
from tests.harness.raw_socket import is_connected_to
from tests.harness.workers import Worker
from tests.pushing.failures import dies, each_once, heal, no_task_failed, on, on_each_broker, pusher, shown_on
from tests.pushing.stage import Stage, has_android, has_iphone, writes
from tests.waiting import DEADLINE

# First the points that leave a lease, then those that leave a delivery queued at a dead worker, then those that leave
# nothing. So leftover work of one point does not run during the next.
POINTS = (
    "after_record",  # the provider has it and the record says so; the task is not acknowledged
    "after_push",  # the provider has it, the record says nothing
    "before_push",  # the provider has nothing; the dead worker holds the lease for 25 s
    "after_fan_out",  # decided and committed, no task made
    "in_fan_out",  # decided, not committed
    "before_tasks",  # recorded as queued, but no task was made
    "after_collect",
)


@on_each_broker
async def test_a_worker_killed_at_any_point_loses_no_push(stage: Stage, people: People) -> None:
    apns, fcm = stage.providers.apns, stage.providers.fcm
    (worker,) = stage.workers
    # One task at a time: otherwise another push may be under way at its death, and be sent twice, too.
    worker.concurrency = 1
    try:
        async with people("ana", "ben", connected=False) as (ana, ben):
            phone = await has_iphone(ben, apns)
            android = await has_android(await ben.another_device(connected=False), fcm)
            talks = {point: await ana.gathers(ben, name=point) for point in POINTS}
            worker.kill()
            for point, talk in talks.items():
                await writes(ana, talk)
                worker.start(CHATSITE_CRASH_POINT=point)
                await dies(worker)
            stage.time_passes(30, under_way=True)
            worker.start()
            await stage.comes_to(ben, *["sent"] * 2 * len(POINTS))
            pushes = [shown_on(apns, phone), shown_on(fcm, android)]
            assert [shown.keys() for shown in pushes] == [each_once(talks.values()).keys()] * 2
            # Plus the push that the provider had taken without a record.
            assert sum(count for shown in pushes for count in shown.values()) == 2 * len(POINTS) + 1
    finally:
        worker.concurrency = 3
        heal(stage)


@on(("embedded", "memory"))
async def test_an_embedded_server_killed_at_any_point_loses_no_push(stage: Stage, people: People) -> None:
    apns = stage.providers.apns
    (server,) = stage.site.servers
    try:
        async with people("ana", "ben", connected=False) as (ana, ben):
            phone = await has_iphone(ben, apns)
            points = ("after_push", "after_fan_out", "after_collect")
            talks = {point: await ana.gathers(ben, name=point) for point in points}
            for point, talk in talks.items():
                server.restart(PUSH_SWEEP_SECONDS="3600")
                await writes(ana, talk)
                server.kill()  # before anything is pushed
                server.launch(CHATSITE_CRASH_POINT=point)
                await dies(server)
            stage.time_passes(30, under_way=True)
            server.start()
            await stage.comes_to(ben, *["sent"] * len(points))
            shown = shown_on(apns, phone)
            assert shown.keys() == each_once(talks.values()).keys()
            assert shown[talks["after_push"]["id"]] == 2
    finally:
        heal(stage)


@on_each_broker
async def test_two_workers_push_nothing_twice(stage: Stage, people: People) -> None:
    apns = stage.providers.apns
    (first,) = stage.workers
    second = Worker("worker-2", stage.site.environment, stage.site.folder)
    healthy = no_task_failed(stage)
    first.kill()
    try:
        first.start()
        second.start()
        async with people("ana", "ben", connected=False) as (ana, ben):
            phone = await has_iphone(ben, apns)
            apns.fails("slow", seconds=0.7)
            talks: list[Any] = []
            until = time.monotonic() + DEADLINE
            while not all(is_connected_to(apns.port, worker.program.pid) for worker in (first, second)):
                assert time.monotonic() < until, f"not both push\n{stage.description(ben)}\n{second.log()}"
                talks.append(await ana.gathers(ben))
                await writes(ana, talks[-1])
                await asyncio.sleep(0.1)
            apns.works()
            await stage.comes_to(ben, *["sent"] * len(talks))
            assert shown_on(apns, phone) == each_once(talks)
        await asyncio.to_thread(second.stop)
        assert second.program.exit_code == 0
        assert not list(PROJECT.glob("celerybeat-schedule*")), "the beats of workers would share a file"
    finally:
        if second.running:
            second.kill()
        heal(stage)
    healthy()
    assert "raised unexpected" not in second.log()


async def test_a_server_killed_after_the_acknowledgement_loses_no_push(stage: Stage, people: People) -> None:
    apns = stage.providers.apns
    (server,) = stage.site.servers
    try:
        async with people("ana", "ben", connected=False) as (ana, ben):
            phone = await has_iphone(ben, apns)
            talk = await ana.talks_to(ben)
            message = await writes(ana, talk)
            server.kill()
            if pusher(stage) is server:
                server.start()
            (push,) = await asyncio.to_thread(apns.arrives, token=phone)
            assert push.payload["message_id"] == message["id"]
            await stage.comes_to(ben, "sent")
            assert shown_on(apns, phone) == each_once([talk])
    finally:
        heal(stage)
