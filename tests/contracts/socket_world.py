"""The actors of the rights matrix over the socket: those of the REST matrix, each with a device at a real server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.contracts.world import SIGNED_IN
from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.servers import Site


@dataclass
class World:
    """A group with a message, and a device of every actor."""

    devices: dict[str, Device]
    bystander: Device  # a member who observes
    group: str
    message: str  # by `member`, while `ex_member` was in the group
    sequence: int


@asynccontextmanager
async def everybody_connected(site: Site) -> AsyncIterator[World]:
    """Create the actors of the REST matrix; those with a live session have sockets, at two processes."""
    people = People(site)
    inside = ("owner", "admin", "member", "read_only", "bystander", "ex_member", "deactivated")
    names = (*inside, "stranger", "blocked", "staff")
    signed_up: dict[str, Device] = {}
    for number, name in enumerate(names):
        signed_up[name] = await people.signs_up(name.replace("_", "-"), server=site.servers[number % 2])
    site.rows(
        "UPDATE accounts_user SET is_staff = true, is_superuser = true WHERE id = %s RETURNING 1", signed_up["staff"].id
    )
    owner, member = signed_up["owner"], signed_up["member"]
    group = await owner.gathers(*(signed_up[name] for name in inside[1:]), name="Trip")
    participants = f"/conversations/{group['id']}/participants"
    await owner.patches(f"{participants}/{signed_up['admin'].id}", {"role": "admin"})
    await owner.patches(f"{participants}/{signed_up['read_only'].id}", {"can_send_messages": False})
    message = await member.posts_message("for all who are here", to=group)
    await owner.deletes(f"{participants}/{signed_up['ex_member'].id}")
    site.rows("UPDATE accounts_user SET is_active = false WHERE id = %s RETURNING 1", signed_up["deactivated"].id)
    signed_up["other_device"] = await member.another_device(connected=False)
    signed_up["revoked"] = await member.another_device("old phone", connected=False)
    (session,) = [each for each in (await signed_up["revoked"].gets("/auth/sessions"))["results"] if each["current"]]
    await member.deletes(f"/auth/sessions/{session['id']}")
    signed_up["anonymous"] = Device(member.person, "nobody's", "", member.server, site)
    bystander = signed_up.pop("bystander")
    await bystander.talks_to(signed_up["blocked"])
    await bystander.posts("/users/block", {"user_id": signed_up["blocked"].id})
    await asyncio.gather(bystander.connects(), *(signed_up[name].connects() for name in SIGNED_IN))
    with site.clean_logs():
        yield World(signed_up, bystander, group["id"], message["id"], message["sequence"])
    await asyncio.gather(*(device.leaves() for device in [*signed_up.values(), bystander]))
