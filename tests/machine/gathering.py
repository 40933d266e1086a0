"""Steps: conversations, participants and their rights."""

from hypothesis import strategies as st

from tests.machine import actions
from tests.machine.facts import Shown
from tests.machine.stage import BY, WHERE, WHO, Stage, step
from tests.machine.world import PEOPLE

OWN_CHANGES: tuple[Shown, ...] = (
    {"muted_until": "2100-01-01T00:00:00Z"},
    {"muted_until": None},
    {"notification_level": "mentions", "pinned": True},
    {"archived": True},
    {"archived": False, "pinned": False},
)


class Gathering(Stage):
    """Steps that begin conversations and change participants."""

    @step(who=WHO, others=st.lists(st.sampled_from(PEOPLE), max_size=3), name=st.sampled_from(("Trip", "")))
    def begins_a_group(self, who: int, others: list[str], name: str) -> None:
        self._begin_group(self._device(who), others, name)

    @step(2, who=WHO, other=st.sampled_from(PEOPLE))
    def begins_a_direct_conversation(self, who: int, other: str) -> None:
        self._begin_direct(self._device(who), other)

    @step(
        who=WHO,
        by=BY,
        where=WHERE,
        field=st.sampled_from(("name", "description")),
        text=st.sampled_from(("", "A", " B ")),
    )
    def updates(self, who: int, by: str, where: int, field: str, text: str) -> None:
        label = self._label(where)
        device = self._acting(who, label, by)
        verb = lambda: self.world.model.update(device.person, label, {field: text})  # noqa: E731
        self._steps(actions.asks(self.world, device, verb, "PATCH", self._conversation_path(label), {field: text}))

    @step(3, who=WHO, by=BY, where=WHERE, people=st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=3))
    def adds(self, who: int, by: str, where: int, people: list[str]) -> None:
        label = self._label(where)
        device = self._acting(who, label, by)
        body = {"user_ids": [self.world.translator.id_of_person(name) for name in people]}
        verb = lambda: self.world.model.add(device.person, label, people)  # noqa: E731
        self._steps(
            actions.asks(self.world, device, verb, "POST", f"{self._conversation_path(label)}/participants", body)
        )

    @step(2, who=WHO, by=BY, where=WHERE, other=st.sampled_from(PEOPLE))
    def removes(self, who: int, by: str, where: int, other: str) -> None:
        label = self._label(where)
        device = self._acting(who, label, by)
        verb = lambda: self.world.model.remove(device.person, label, other)  # noqa: E731
        self._steps(actions.asks(self.world, device, verb, "DELETE", self._participant_path(label, other)))

    @step(2, who=WHO, where=WHERE)
    def leaves(self, who: int, where: int) -> None:
        device, label = self._device(who), self._label(where)
        verb = lambda: self.world.model.leave(device.person, label)  # noqa: E731
        self._steps(actions.asks(self.world, device, verb, "DELETE", self._conversation_path(label)))

    @step(3, who=WHO, by=BY, where=WHERE, changes=st.sampled_from(OWN_CHANGES))
    def sets_for_oneself(self, who: int, by: str, where: int, changes: Shown) -> None:
        label = self._label(where)
        device = self._acting(who, label, by)
        verb = lambda: self.world.model.set_own(device.person, label, changes)  # noqa: E731
        self._steps(actions.asks(self.world, device, verb, "PATCH", f"{self._conversation_path(label)}/me", changes))

    @step(
        3,
        who=WHO,
        by=BY,
        where=WHERE,
        other=st.sampled_from(PEOPLE),
        role=st.sampled_from((None, "admin", "member", "owner")),
        may_write=st.sampled_from((None, True, False)),
    )
    def changes_a_participant(
        self, who: int, by: str, where: int, other: str, role: str | None, may_write: bool | None
    ) -> None:
        label = self._label(where)
        device = self._acting(who, label, by)
        self._change_participant(device, label, other, role, may_write)
