"""Steps: messages and receipts."""

import asyncio
from typing import Any

from hypothesis import strategies as st

from tests.machine import actions
from tests.machine.client import MachineDevice
from tests.machine.stage import RIGHTLY, WHERE, WHICH, WHO, Stage, step

TEXT = st.sampled_from(("hi", "there", "Grüße ✓", " ", "well"))
LOCATION = {"latitude": 52.5, "longitude": 13.25}


class Talking(Stage):
    """Steps that write and acknowledge messages."""

    @step(7, who=WHO, where=WHERE, text=TEXT, location=st.booleans(), socket=st.booleans())
    def sends(self, who: int, where: int, text: str, location: bool, socket: bool) -> None:
        said = {"content": text, "message_type": "text", "metadata": {}, "reply_to": None}
        if location:
            said |= {"message_type": "location", "metadata": LOCATION}
        self._send(self._device(who), self._label(where), self._fresh_id(), said, socket=socket)

    @step(2, who=WHO, where=WHERE, quoted_in=WHERE, which=WHICH, socket=st.booleans())
    def replies(self, who: int, where: int, quoted_in: int, which: int, socket: bool) -> None:
        label, sequence, _ = self._message(quoted_in, which)
        if self.world.translator.id_of_message(label, sequence):
            said = {"content": "re", "message_type": "text", "metadata": {}, "reply_to": (label, sequence)}
            self._send(self._device(who), self._label(where), self._fresh_id(), said, socket=socket)

    @step(
        3, who=WHO, which=WHICH, other=st.sampled_from(("", "content", "conversation", "sender")), socket=st.booleans()
    )
    def sends_again(self, who: int, which: int, other: str, socket: bool) -> None:
        """Repeat a send, unchanged, or with another content, conversation or sender under its id."""
        model = self.world.model
        sender, client_id = list(model.sent)[-1 - which % len(model.sent)]
        label, sequence = model.sent[sender, client_id]
        message = model.conversations[label].messages[sequence]
        said = message.said or {"content": "gone", "message_type": "text", "metadata": {}, "reply_to": None}
        if other == "content":
            said = said | {"content": "something else"}
        if other == "conversation":
            label = self._label(which)
        devices = [each for each in self._valid if (each.person == sender) != (other == "sender")]
        if devices:
            self._send(devices[who % len(devices)], label, client_id, said, socket=socket)

    @step(2, where=WHERE, numbers=st.lists(WHO, min_size=2, max_size=5), same=st.booleans())
    def talk_at_once(self, where: int, numbers: list[int], same: bool) -> None:
        """Several sockets send to one conversation at once: their sends may share a transaction."""
        label = self._label(where)
        devices = [each for each in map(self._device, numbers) if each.is_connected]
        self._steps(self._talk_at_once(devices, label, same))

    async def _talk_at_once(self, devices: list[MachineDevice], label: str, same: bool) -> None:
        shared = self._fresh_id()
        plans = [(each, shared if same else self._fresh_id()) for each in devices]
        answers = await asyncio.gather(
            *(
                each.device.asks(
                    "send_message",
                    conversation_id=self.world.translator.id_of_conversation(label),
                    content="at once",
                    client_message_id=client_id,
                )
                for each, client_id in plans
            ),
            return_exceptions=True,
        )
        said = {"content": "at once", "message_type": "text", "metadata": {}, "reply_to": None}
        order = sorted(zip(plans, answers, strict=True), key=lambda each: _log_order(each[1]))
        for (device, client_id), answer in order:
            actions.agrees_on_ack(self.world, device, answer, label, client_id, said)

    @step(3, who=WHO, where=WHERE, which=WHICH, rightly=RIGHTLY, text=TEXT)
    def edits(self, who: int, where: int, which: int, rightly: bool, text: str) -> None:
        label, sequence, id = self._message(where, which)
        device = self._sender_or_any(who, label, sequence, rightly)
        verb = lambda: self.world.model.edit(device.person, label, sequence, text)  # noqa: E731
        self._steps(actions.asks(self.world, device, verb, "PATCH", f"/messages/{id}", {"content": text}))

    @step(2, who=WHO, where=WHERE, which=WHICH, rightly=RIGHTLY)
    def deletes(self, who: int, where: int, which: int, rightly: bool) -> None:
        label, sequence, id = self._message(where, which)
        device = self._sender_or_any(who, label, sequence, rightly)
        verb = lambda: self.world.model.delete(device.person, label, sequence)  # noqa: E731
        self._steps(actions.asks(self.world, device, verb, "DELETE", f"/messages/{id}", **{"for": "everyone"}))

    @step(3, who=WHO, where=WHERE, which=WHICH, kind=st.sampled_from(("read", "read", "delivered")))
    def acknowledges_a_message(self, who: int, where: int, which: int, kind: str) -> None:
        device, (label, sequence, id) = self._device(who), self._message(where, which)
        self._steps(actions.acknowledges_message(self.world, device, kind, label, sequence, id))

    @step(3, who=WHO, where=WHERE, back=st.integers(-1, 9), kind=st.sampled_from(("read", "read", "delivered")))
    def acknowledges_over_the_socket(self, who: int, where: int, back: int, kind: str) -> None:
        """Acknowledge over the socket; -1 is beyond the head."""
        device, label = self._device(who), self._label(where)
        sequence = max(0, self.world.model.conversations[label].head - back)
        if device.is_connected:
            self._steps(actions.acknowledges(self.world, device, kind, label, sequence))


def _log_order(answer: Any) -> tuple[int, bool]:
    """Sort key of answers: by sequence, duplicates after the original, refusals last."""
    if isinstance(answer, Exception):
        return 10**9, True
    return answer["sequence"], answer.get("duplicate", False)
