"""The base of a story: how it begins, and how a step is drawn and taken.

A number in a step is an index, taken modulo the count of what it chooses from; messages are counted from the newest.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from tests.machine import actions, connecting, reads, views
from tests.machine.client import MachineDevice
from tests.machine.facts import Shown
from tests.machine.web import WebClients
from tests.machine.world import PEOPLE, World, unknown_id

WHO = st.sampled_from(range(6))
WHERE = st.sampled_from((0, 0, 0, 1, 1, 2, 3))
WHICH = st.sampled_from(range(10))
# Whether a person with the right acts, or any person.
RIGHTLY = st.booleans()
# The role of the person who acts, if anybody has it.
BY = st.sampled_from(("owner", "admin", "anybody"))

# Every kind of step: its name, the values it draws, and its weight.
STEPS: list[tuple[str, dict[str, st.SearchStrategy[Any]], int]] = []
Step = Callable[..., None]


def step(times: int = 1, **draws: st.SearchStrategy[Any]) -> Callable[[Step], Step]:
    """Register a method as a step of this weight. Hypothesis rules would not do: each story leaves out many of them."""

    def register(method: Step) -> Step:
        STEPS.append((method.__name__, draws, times))
        return method

    return register


class Stage(RuleBasedStateMachine):
    """One story. `loop` and `web` are shared by all stories."""

    def __init__(self, loop: asyncio.AbstractEventLoop, web: WebClients, tally: Counter[str]) -> None:
        super().__init__()
        self._loop = loop
        self._web = web
        self._tally = tally
        self._broken = True
        self._sends = 0

    # --- Begin and end ------------------------------------------------------------------------

    @initialize()
    def begins(self) -> None:
        self.world = World(self._web, self._tally)
        self._steps(self.world.begins())
        ana = self.world.devices[0]
        for device in self.world.devices:
            self._steps(connecting.connects(self.world, device))
        self._begin_group(ana, ["ben", "cleo"], "Trip")
        for admin in ("ben", "cleo"):
            self._change_participant(ana, self._label(0), admin, "admin", None)
        self._begin_direct(ana, "ben")
        said = {"content": "before", "message_type": "text", "metadata": {}, "reply_to": None}
        for number in range(6):
            self._send(self.world.devices[number % 3], self._label(0), self._fresh_id(), said, socket=False)
        self._broken = False

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            if not self._broken:
                self._steps(self._looks_at_everything())
        finally:
            self._loop.run_until_complete(self.world.ends())

    async def _looks_at_everything(self) -> None:
        for name in PEOPLE:
            if (device := self._device_of(name)) is not None:
                await reads.at_everything(self.world, device)
        for device in self.world.devices:
            if device.is_connected:
                await self.world.web_agrees(device)
            self._tally.update(device.met)

    def _steps(self, *steps: Coroutine[Any, Any, Any]) -> None:
        """Take steps, then let all news reach the devices."""
        before, self._broken = self._broken, True
        for each in steps:
            self._loop.run_until_complete(each)
        self._loop.run_until_complete(self.world.spreads())
        self._tally["steps"] += 1
        self._broken = before

    @rule(drawn=st.deferred(lambda: _any_step()))
    def takes(self, drawn: tuple[str, dict[str, Any]]) -> None:
        name, draws = drawn
        self._tally[name] += 1
        getattr(self, name)(**draws)

    # --- Choosing -------------------------------------------------------------------------

    @property
    def _valid(self) -> list[MachineDevice]:
        return [each for each in self.world.devices if self.world.model.sessions[each.key][1]]

    def _listener(self, number: int) -> MachineDevice | None:
        """Return a connected device of a person with a conversation, if there is one."""
        model = self.world.model
        listening = [each for each in self.world.devices if each.is_connected and views.heads(model, each.person)]
        return listening[number % len(listening)] if listening else None

    def _device(self, number: int) -> MachineDevice:
        return self.world.devices[number % len(self.world.devices)]

    def _sender_or_any(self, who: int, label: str, sequence: int, rightly: bool) -> MachineDevice:
        message = self.world.model.conversations[label].messages.get(sequence)
        return self._device_of(message.sender if rightly and message else None) or self._device(who)

    def _acting(self, who: int, label: str, role: str) -> MachineDevice:
        participants = self.world.model.conversations[label].participants
        names = [name for name, participant in participants.items() if participant.here and participant.role == role]
        return self._device_of(names[who % len(names)] if names else None) or self._device(who)

    def _device_of(self, name: str | None) -> MachineDevice | None:
        return next((each for each in self._valid if each.person == name), None)

    def _label(self, number: int) -> str:
        labels = list(self.world.model.conversations)
        return labels[number % len(labels)]

    def _message(self, where: int, number: int) -> tuple[str, int, str]:
        """Return conversation, sequence and id of a message that some device has received; the actor may not see it."""
        label = self._label(where)
        numbered = (
            (each, self.world.translator.id_of_message(label, each))
            for each in sorted(self.world.model.conversations[label].messages)
        )
        seen = [(sequence, id) for sequence, id in numbered if id is not None]
        if not seen:
            return label, 1, unknown_id()  # the first event of a log is never a message
        sequence, id = seen[-1 - number % len(seen)]
        return label, sequence, id

    def _send(self, device: MachineDevice, label: str, client_id: str, said: Shown, *, socket: bool) -> None:
        body = {"conversation_id": self.world.translator.id_of_conversation(label), "client_message_id": client_id}
        body |= {name: said[name] for name in ("content", "message_type", "metadata")}
        if said["reply_to"] is not None:
            body["reply_to_id"] = self.world.translator.id_of_message(*said["reply_to"])
        self._steps(
            actions.sends(self.world, device, label, client_id, said, body, socket=socket and device.is_connected)
        )

    def _fresh_id(self) -> str:
        self._sends += 1
        return str(UUID(int=self._sends))

    def _conversation_path(self, label: str) -> str:
        return f"/conversations/{self.world.translator.id_of_conversation(label)}"

    def _participant_path(self, label: str, name: str) -> str:
        return f"{self._conversation_path(label)}/participants/{self.world.translator.id_of_person(name)}"

    def _begin_group(self, device: MachineDevice, others: list[str], name: str) -> None:
        body = {
            "type": "group",
            "name": name,
            "participant_ids": [self.world.translator.id_of_person(o) for o in others],
        }
        self._steps(
            actions.begins_one(
                self.world, device, lambda: self.world.model.open_group(device.person, others, name), body
            )
        )

    def _change_participant(
        self, device: MachineDevice, label: str, other: str, role: str | None, may_write: bool | None
    ) -> None:
        changes = {"role": role, "can_send_messages": may_write}
        body = {name: value for name, value in changes.items() if value is not None}
        verb = lambda: self.world.model.update_participant(device.person, label, other, role, may_write)  # noqa: E731
        self._steps(actions.asks(self.world, device, verb, "PATCH", self._participant_path(label, other), body))

    def _begin_direct(self, device: MachineDevice, other: str) -> None:
        body = {"type": "direct", "participant_ids": [self.world.translator.id_of_person(other)]}
        self._steps(
            actions.begins_one(self.world, device, lambda: self.world.model.open_direct(device.person, other)[0], body)
        )


def _any_step() -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    # Hypothesis prefers the head of a list: the heaviest kinds come first, and every kind once before any repeats.
    kinds = sorted(STEPS, key=lambda kind: kind[2], reverse=True)
    steps = [(name, draws) for turn in range(kinds[0][2]) for name, draws, times in kinds if times > turn]
    return st.sampled_from(steps).flatmap(lambda kind: st.tuples(st.just(kind[0]), st.fixed_dictionaries(kind[1])))
