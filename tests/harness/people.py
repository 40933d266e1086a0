"""People with devices, so that tests read as dialogues.

    async with people("ana", "ben") as (ana, ben):
        conversation = await ana.talks_to(ben)
        await ana.sends("hi", to=conversation)
        await ben.receives("new_message", content="hi")

A `Device` is one signed-in device: a bearer token, REST, and at most one socket at a time. The
device that `people` hands out is the person's first; `ana.another_device()` signs in one more.

Nothing here waits for a fixed time. `receives` waits for a frame. `has_not_heard` asserts that something did *not*
arrive; call it after a later frame on the same way has arrived (`hears_everything_from`).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from secrets import token_hex

from tests.harness.device import PASSWORD, Device, Person
from tests.harness.http import http_client
from tests.harness.servers import Server, Site


class People:
    """Makes people on a site. People take turns at the site's server processes."""

    def __init__(self, site: Site) -> None:
        self.site = site

    async def signs_up(self, name: str, *, server: Server | None = None, device: str = "laptop") -> Device:
        """Create an account under a name of its own and return its first device, unconnected."""
        at = server or self.site.servers[0]
        username = f"{name}-{token_hex(4)}"
        async with http_client() as client:
            answer = await client.post(
                f"{at.http}/api/v1/auth/register",
                json={"username": username, "password": PASSWORD, "display_name": name.title()},
                headers={"X-Device-ID": device},
            )
        assert answer.status_code == 201, answer.text
        signed_up = answer.json()
        return Device(Person(name, username, signed_up["user"]["id"]), device, signed_up["token"], at, self.site)

    @asynccontextmanager
    async def __call__(self, *names: str, connected: bool = True) -> AsyncIterator[tuple[Device, ...]]:
        """Give each name an account and a device with a socket, each at the next server process.

        At the end everybody leaves, and an `error` frame that no test asked for fails the test.
        """
        devices: list[Device] = []
        try:
            for number, name in enumerate(names):
                server = self.site.servers[number % len(self.site.servers)]
                devices.append(await self.signs_up(name, server=server))
            if connected:
                await asyncio.gather(*(device.connects() for device in devices))
            yield tuple(devices)
            for device in devices:
                surprises = [
                    frame
                    for position, frame in enumerate(device._heard)
                    if frame["type"] == "error" and position not in device._taken
                ]
                assert not surprises, f"{device} was sent {surprises}"
        finally:
            await asyncio.gather(*(device.leaves() for device in devices))
