"""Every command that changes what a client shows, as an object that Hypothesis can draw and a test can run.

A command acts on a `Stage`: four people, of whom three share a group, and their conversations. A list of commands
is a play. A refusal is a valid outcome here; tests/flows checks the commands that must not be refused.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from hypothesis import strategies as st
from websockets.exceptions import WebSocketException

from tests.harness.device import Device
from tests.harness.people import People
from tests.harness.rest import Refused
from tests.harness.servers import Site


@dataclass
class Stage:
    """The people, conversations and messages of a play. A number in a command is taken modulo their count."""

    people: Sequence[Device]
    conversations: list[dict[str, Any]] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    refused: int = 0
    done: int = 0

    def person(self, number: int) -> Device:
        return self.people[number % len(self.people)]

    def conversation(self, number: int) -> dict[str, Any]:
        return self.conversations[number % len(self.conversations)]

    def message(self, number: int) -> str:
        return self.messages[number % len(self.messages)]


@dataclass(frozen=True)
class Command:
    """A named command with the numbers that choose its actor, its conversation (`where`) and its object."""

    name: str
    actor: int = 0
    where: int = 0
    object: int = 0

    async def runs_on(self, stage: Stage) -> None:
        """Run the command; a refusal for missing rights or bad values is counted."""
        try:
            await COMMANDS[self.name](stage, stage.person(self.actor), self.where, self.object)
            stage.done += 1
        except Refused as refusal:
            if refusal.code not in ("not_found", "not_a_participant", "forbidden", "conflict", "invalid"):
                raise
            stage.refused += 1


Action = Callable[[Stage, Device, int, int], Awaitable[None]]
COMMANDS: dict[str, Action] = {}


def command(action: Action) -> Action:
    COMMANDS[action.__name__] = action
    return action


@command
async def send(stage: Stage, actor: Device, where: int, object: int) -> None:
    body = {"content": f"text {object}", "client_message_id": str(uuid4())}
    message = await actor.posts("/messages", body | {"conversation_id": stage.conversation(where)["id"]})
    stage.messages.append(message["id"])


@command
async def send_over_the_socket(stage: Stage, actor: Device, where: int, object: int) -> None:
    if not actor.is_connected:
        return await send(stage, actor, where, object)
    try:
        ack = await actor.sends(f"text {object}", to=stage.conversation(where))
    except (ConnectionError, WebSocketException, AssertionError):
        assert not actor.is_connected, "an open connection did not answer"
        return None  # the connection was cut; the final comparison shows whether the message was stored
    stage.messages.append(ack["message_id"])
    return None


@command
async def send_location(stage: Stage, actor: Device, where: int, object: int) -> None:
    body = {"message_type": "location", "content": "", "metadata": {"latitude": object % 90, "longitude": 1.5}}
    message = await actor.posts("/messages", body | {"conversation_id": stage.conversation(where)["id"]})
    stage.messages.append(message["id"])


@command
async def reply(stage: Stage, actor: Device, where: int, object: int) -> None:
    body = {"content": "re", "reply_to_id": stage.message(object)}
    message = await actor.posts("/messages", body | {"conversation_id": stage.conversation(where)["id"]})
    stage.messages.append(message["id"])


def naming(person: Device) -> list[dict[str, Any]]:
    return [{"user_id": person.id, "offset": 0, "length": 1}]


@command
async def mention(stage: Stage, actor: Device, where: int, object: int) -> None:
    body = {"content": f"you {object}", "mentions": naming(stage.person(object))}
    message = await actor.posts("/messages", body | {"conversation_id": stage.conversation(where)["id"]})
    stage.messages.append(message["id"])


@command
async def edit(stage: Stage, actor: Device, where: int, object: int) -> None:
    await actor.patches(f"/messages/{stage.message(object)}", {"content": f"edited {where}"})


@command
async def edit_to_mention(stage: Stage, actor: Device, where: int, object: int) -> None:
    body = {"content": f"edited for you {where}", "mentions": naming(stage.person(where + 1))}
    await actor.patches(f"/messages/{stage.message(object)}", body)


@command
async def delete(stage: Stage, actor: Device, where: int, object: int) -> None:
    await actor.deletes(f"/messages/{stage.message(object)}", **{"for": "everyone"})


@command
async def deliver(stage: Stage, actor: Device, where: int, object: int) -> None:
    await actor.posts(f"/messages/{stage.message(object)}/delivered")


@command
async def read(stage: Stage, actor: Device, where: int, object: int) -> None:
    await actor.posts(f"/messages/{stage.message(object)}/read")


@command
async def rename(stage: Stage, actor: Device, where: int, object: int) -> None:
    await actor.patches(f"/conversations/{stage.conversation(where)['id']}", {"name": f"name {object}"})


@command
async def describe(stage: Stage, actor: Device, where: int, object: int) -> None:
    changes = {"description": f"about {object}", "avatar_url": f"https://pictures.example/{object}"}
    await actor.patches(f"/conversations/{stage.conversation(where)['id']}", changes)


@command
async def switch_notifications(stage: Stage, actor: Device, where: int, object: int) -> None:
    changes = {"settings": {"notifications_enabled": object % 2 == 1}}
    await actor.patches(f"/conversations/{stage.conversation(where)['id']}", changes)


@command
async def add(stage: Stage, actor: Device, where: int, object: int) -> None:
    path = f"/conversations/{stage.conversation(where)['id']}/participants"
    await actor.posts(path, {"user_ids": [stage.person(object).id]})


@command
async def remove(stage: Stage, actor: Device, where: int, object: int) -> None:
    path = f"/conversations/{stage.conversation(where)['id']}/participants"
    await actor.deletes(f"{path}/{stage.person(object).id}")


@command
async def leave(stage: Stage, actor: Device, where: int, object: int) -> None:
    await actor.deletes(f"/conversations/{stage.conversation(where)['id']}", mode="leave")


@command
async def change_role(stage: Stage, actor: Device, where: int, object: int) -> None:
    path = f"/conversations/{stage.conversation(where)['id']}/participants"
    role = ("admin", "member", "owner")[(actor_number(stage, actor) + object) % 3]
    await actor.patches(f"{path}/{stage.person(object).id}", {"role": role})


@command
async def forbid_sending(stage: Stage, actor: Device, where: int, object: int) -> None:
    path = f"/conversations/{stage.conversation(where)['id']}/participants"
    await actor.patches(f"{path}/{stage.person(object).id}", {"can_send_messages": where % 2 == 1})


@command
async def set_own_settings(stage: Stage, actor: Device, where: int, object: int) -> None:
    until = "2100-01-01T00:00:00Z" if object % 2 else None
    changes = {"muted_until": until, "pinned": object % 3 == 0, "archived": object % 4 == 0}
    await actor.patches(f"/conversations/{stage.conversation(where)['id']}/me", changes)


@command
async def block(stage: Stage, actor: Device, where: int, object: int) -> None:
    await actor.posts("/users/block", {"user_id": stage.person(object).id})


@command
async def unblock(stage: Stage, actor: Device, where: int, object: int) -> None:
    await actor.deletes(f"/users/block/{stage.person(object).id}")


@command
async def open_direct(stage: Stage, actor: Device, where: int, object: int) -> None:
    body = {"type": "direct", "participant_ids": [stage.person(object).id]}
    conversation = await actor.posts("/conversations", body)
    if conversation["id"] not in [each["id"] for each in stage.conversations]:
        stage.conversations.append(conversation)


@command
async def open_group(stage: Stage, actor: Device, where: int, object: int) -> None:
    body = {"type": "group", "name": f"group {object}", "participant_ids": [stage.person(object).id]}
    stage.conversations.append(await actor.posts("/conversations", body))


def actor_number(stage: Stage, actor: Device) -> int:
    return list(stage.people).index(actor)


def drawn(*, most: int) -> st.SearchStrategy[list[Command]]:
    """Return a strategy for plays of up to `most` commands, most of them in the group, which is conversation 0."""
    weighted = [name for name in COMMANDS if name not in ("open_group", "leave", "remove")] * 2 + list(COMMANDS)
    one = st.builds(
        Command,
        name=st.sampled_from(weighted),
        actor=st.integers(0, 3),
        where=st.sampled_from((0, 0, 0, 1, 2, 3)),
        object=st.integers(0, 11),
    )
    return st.lists(one, min_size=most // 2, max_size=most)


@asynccontextmanager
async def staged(site: Site) -> AsyncIterator[Stage]:
    """Create the stage: ana, ben and cleo in a group, ana and ben in a direct conversation, dan in none."""
    async with People(site)("ana", "ben", "cleo", "dan", connected=False) as people:
        ana, ben, cleo, _ = people
        stage = Stage(people)
        stage.conversations = [await ana.gathers(ben, cleo), await ana.talks_to(ben)]
        for number in range(4):
            await send(stage, people[number % 2], number, number)
        yield stage


EVERY_COMMAND = [
    Command("send", actor=1),
    Command("send", actor=0, where=1),
    Command("send_over_the_socket", actor=2),
    Command("send_location", actor=1),
    Command("reply", actor=2, object=0),
    Command("mention", actor=1, object=0),
    Command("mention", actor=2, object=2),
    Command("edit", actor=0, object=0),
    Command("edit", actor=1, object=1),
    Command("edit_to_mention", actor=0, object=0),
    Command("edit_to_mention", actor=1, object=3, where=3),
    Command("delete", actor=0, object=2),
    Command("delete", actor=1, object=3),
    Command("deliver", actor=1, object=2),
    Command("read", actor=1, object=2),
    Command("read", actor=0, object=3),
    Command("rename", actor=0),
    Command("describe", actor=0),
    Command("switch_notifications", actor=0),
    Command("add", actor=0, object=3),
    Command("remove", actor=0, object=2),
    Command("leave", actor=1),
    Command("leave", actor=0),
    Command("change_role", actor=0, object=1),
    Command("change_role", actor=0, object=2),
    Command("forbid_sending", actor=0, where=0, object=1),
    Command("set_own_settings", actor=0, object=3),
    Command("set_own_settings", actor=1, where=1, object=4),
    Command("block", actor=1, object=0),
    Command("block", actor=0, object=1),
    Command("unblock", actor=1, object=0),
    Command("open_direct", actor=3, object=0),
    Command("open_group", actor=3, object=1),
]
