"""1: however a session ends, its sockets close within a second, at every server process."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.rest import refused
from tests.harness.servers import Site
from tests.security.staff import USERS, Staff

Ends = Callable[[Staff, Device], Awaitable[None]]
REVOKED = 4403


async def by_signing_out(_: Staff, ana: Device) -> None:
    await ana.posts("/auth/logout")


async def by_deleting_the_session(_: Staff, ana: Device) -> None:
    (own,) = [session for session in (await ana.gets("/auth/sessions"))["results"] if session["current"]]
    await ana.deletes(f"/auth/sessions/{own['id']}")


async def by_deactivation(staff: Staff, ana: Device) -> None:
    await staff.acts("deactivate", ana)


async def by_clearing_active_in_the_form(staff: Staff, ana: Device) -> None:
    await staff.fills(f"{USERS}{ana.id}/change/", username=ana.username)


async def by_staff_for_all(staff: Staff, ana: Device) -> None:
    await staff.acts("revoke_sessions", ana)


async def by_staff_for_one(staff: Staff, ana: Device) -> None:
    await staff.revokes_newest_session_of(ana)


@pytest.mark.parametrize(
    "ends",
    [
        by_signing_out,
        by_deleting_the_session,
        by_deactivation,
        by_clearing_active_in_the_form,
        by_staff_for_all,
        by_staff_for_one,
    ],
    ids=lambda ends: ends.__name__,
)
async def test_a_session_that_ends_closes_its_socket(production: Site, staff: Staff, ends: Ends) -> None:
    async with People(production)("ben", "ana") as (ben, ana):  # at different processes; ana is not at that of staff
        conversation = await ben.talks_to(ana)
        begun = time.monotonic()
        await ends(staff, ana)
        answered = time.monotonic()
        await ana.is_closed(REVOKED, within=1)
        assert time.monotonic() - answered < 1, f"the request itself took {answered - begun:.2f} s"
        heard = len(ana.all_heard())
        await ben.sends("not for a session that ended", to=conversation)
        assert len(ana.all_heard()) == heard
        with refused("unauthenticated", status=401):
            await ana.gets("/users/me")
        await ana.opens_socket()
        await ana.is_closed(4401)
        ana.takes_all()


async def test_commands_of_an_ended_session_are_not_executed(production: Site, staff: Staff) -> None:
    async with People(production)("ben", "ana") as (ben, ana):
        conversation = await ben.talks_to(ana)
        await staff.acts("revoke_sessions", ana)
        ended = time.monotonic()
        with suppress(ConnectionClosed):
            while time.monotonic() < ended + 2:
                number = str(uuid4())
                await ana.says(
                    "send_message", conversation_id=conversation["id"], content="late", client_message_id=number
                )
                await asyncio.sleep(0.002)
        assert time.monotonic() - ended < 1, "the socket was still open after a second"
        before = len(await ben.history(conversation))
        await asyncio.sleep(0.3)
        assert len(await ben.history(conversation)) == before
        ana.takes_all()
