"""Actions of people: each is done with the model and with the server, which must agree on the outcome."""

from collections.abc import Callable
from typing import Any

from tests.harness.rest import Refused
from tests.machine import views
from tests.machine.client import MachineDevice
from tests.machine.facts import Shown
from tests.machine.rights import Refusal
from tests.machine.world import World, assert_same


async def asks(
    world: World, actor: MachineDevice, verb: Callable[[], Any], method: str, path: str, body: Any = None, **query: Any
) -> Any:
    """Do an action with the model and over REST; both must do it, or refuse it with the same code.

    Return the model's result and the server's answer, or None for a refusal.
    """
    wanted, result = result_of(world, actor, verb)
    status, answer = await actor.device.request(method, path, body, query=query)
    got = answer["code"] if status >= 400 else None
    assert got == wanted, f"{method} {path} {body or query}: {status} {answer}, where the model says {wanted}"
    return (result, answer, status) if wanted is None else None


def result_of(world: World, actor: MachineDevice, verb: Callable[[], Any]) -> tuple[str | None, Any]:
    """Do an action with the model; return the code of a refusal and None, or None and the result."""
    try:
        world.model.who(actor.key)
        result = verb()
        world.tally["done"] += 1
        return None, result
    except Refusal as refusal:
        world.tally[f"refused: {refusal.code}"] += 1
        return refusal.code, None


async def sends(
    world: World, actor: MachineDevice, label: str, client_id: str, said: Shown, body: dict[str, Any], *, socket: bool
) -> None:
    """Send a message, over REST or the socket."""
    if socket:
        answer: Any
        try:
            answer = await actor.device.asks("send_message", **body)
        except Refused as refusal:
            answer = refusal
        agrees_on_ack(world, actor, answer, label, client_id, said)
        return
    verb = lambda: world.model.send(actor.person, label, client_id, said)  # noqa: E731
    sent = await asks(world, actor, verb, "POST", "/messages", body)
    if sent:
        (sequence, again), answer, status = sent
        assert status == (200 if again else 201)
        talk = world.model.conversations[label]
        wanted = views.message(talk, talk.messages[sequence], actor.person)
        assert_same(world.translator.message(answer), wanted, "the message sent")


def agrees_on_ack(world: World, actor: MachineDevice, answer: Any, label: str, client_id: str, said: Shown) -> None:
    """Repeat with the model a send over the socket, and compare the answers."""
    wanted, result = result_of(world, actor, lambda: world.model.send(actor.person, label, client_id, said))
    if isinstance(answer, Refused):
        assert answer.code == wanted, f"{answer}, where the model says {wanted} {result}"
        return
    if isinstance(answer, BaseException):
        raise answer
    assert wanted is None, f"{answer}, where the model says {wanted}"
    assert answer["type"] == "message_ack", answer
    got = (answer["client_message_id"], answer["conversation_id"], answer["sequence"], "duplicate" in answer)
    assert got == (client_id, world.translator.id_of_conversation(label), *result), f"{answer}, model: {result}"
    known = world.translator.messages.setdefault(answer["message_id"], (label, result[0]))
    assert known == (label, result[0]), f"{answer} is the id of {known}"


async def acknowledges_message(
    world: World, actor: MachineDevice, kind: str, label: str, sequence: int, id: str
) -> None:
    """Acknowledge a message over REST."""

    def verb() -> None:
        world.model.acknowledge_message(actor.person, kind, label, sequence, actor.key)

    await asks(world, actor, verb, "POST", f"/messages/{id}/{kind}")
    await _shows_as_read(world, actor, kind, label, sequence)


async def acknowledges(world: World, actor: MachineDevice, kind: str, label: str, sequence: int) -> None:
    """Acknowledge a sequence over the socket; only a refusal is answered."""
    wanted, _ = result_of(world, actor, lambda: world.model.acknowledge(actor.person, kind, label, sequence, actor.key))
    type = "read_receipt" if kind == "read" else "delivery_receipt"
    number = await actor.device.says(
        type, conversation_id=world.translator.id_of_conversation(label), sequence=sequence
    )
    if wanted is not None:
        answer = await actor.device.hears(lambda frame: frame.get("id") == number, f"the refusal of {type}")
        assert answer.get("code") == wanted, answer
    else:
        await _shows_as_read(world, actor, kind, label, sequence)


async def _shows_as_read(world: World, actor: MachineDevice, kind: str, label: str, sequence: int) -> None:
    """Tell the web client what was read on its screen: the server sends `conversation_read` to other devices only."""
    participant = world.model.conversations[label].participants.get(actor.person)
    if actor.is_connected and kind == "read" and participant is not None and participant.read == sequence:
        id = world.translator.id_of_conversation(label)
        await world.comes_to_rest(actor)
        await world.turns([world.job(actor, "read", id=id, sequence=sequence)])
        await world.turns([world.job(actor, "confirm", id=id, sequence=sequence)])


async def begins_one(world: World, actor: MachineDevice, verb: Callable[[], str], body: dict[str, Any]) -> None:
    """Begin a conversation, or find the existing direct one."""
    before = set(world.model.conversations)
    begun = await asks(world, actor, verb, "POST", "/conversations", body)
    if begun:
        label, answer, status = begun
        assert status == (200 if label in before else 201)
        assert world.translator.conversations.setdefault(answer["id"], label) == label
        talk = world.model.conversations[label]
        assert_same(world.translator.conversation(answer), views.body(talk, actor.person), "the conversation begun")


async def revokes(world: World, actor: MachineDevice, ended: MachineDevice) -> None:
    """End a session: its socket must close."""
    was_connected = ended.is_connected
    verb = lambda: world.model.revoke(world.model.who(actor.key), ended.key)  # noqa: E731
    revoked = await asks(world, actor, verb, "DELETE", f"/auth/sessions/{ended.device.session_id}")
    if revoked and was_connected:
        await ended.device.is_closed(4403)
