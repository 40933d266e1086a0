"""Steps: devices, networks and reads; and the machine that has all steps."""

from copy import deepcopy

from hypothesis import strategies as st

from tests.machine import actions, connecting, reads
from tests.machine.gathering import Gathering
from tests.machine.stage import RIGHTLY, WHERE, WHICH, WHO, step
from tests.machine.talking import Talking
from tests.machine.world import PEOPLE

FATES = st.lists(st.sampled_from(("lost", "twice", "late", "arrives")), min_size=2, max_size=6)


class Machine(Talking, Gathering):
    """A story: a random list of steps."""

    # --- Devices and networks -------------------------------------------------------------

    @step(2, who=WHO)
    def connects_or_disconnects(self, who: int) -> None:
        device = self._device(who)
        if device.is_connected:
            self._steps(connecting.disconnects(self.world, device))
        elif device in self._valid:
            self._steps(connecting.connects(self.world, device))

    @step(2, name=st.sampled_from(PEOPLE))
    def signs_in(self, name: str) -> None:
        if len(self.world.devices) < 6:
            self._steps(self.world.signs_in(name))

    @step(2, who=WHO, rightly=RIGHTLY, which=WHO)
    def revokes(self, who: int, rightly: bool, which: int) -> None:
        if len(self._valid) > 4:
            ended = self._device(which)
            actor = (self._device_of(ended.person) if rightly else None) or self._device(who)
            self._steps(actions.revokes(self.world, actor, ended))

    @step(6, who=WHO, fates=FATES)
    def network_turns_bad(self, who: int, fates: list[str]) -> None:
        """The next frames of a device are lost, doubled, or overtaken by later ones."""
        if (device := self._listener(who)) is not None:
            device.fates.extend(fates)

    @step(4, who=WHO)
    def answers_turn_slow(self, who: int) -> None:
        """The next REST answers reach the web client after later frames."""
        if (device := self._listener(who)) is not None:
            device.slow += 3

    @step(3, who=WHO)
    def checks_tail(self, who: int) -> None:
        if (device := self._listener(who)) is not None:
            self._steps(connecting.checks_tail(self.world, device))

    @step(who=WHO)
    def writes_to_disk(self, who: int) -> None:
        """Save the state of both clients for `starts_from_disk`."""
        device = self._device(who)
        if device.is_connected and device.intact and not device.waits:
            device.kept = deepcopy(device.replica.kept())
            self._web.turn([{"client": device.key, "do": "save"}])

    @step(who=WHO)
    def starts_from_disk(self, who: int) -> None:
        """Both clients start again from their saved state."""
        device = self._device(who)
        if device.kept is not None and device in self._valid:
            self._steps(connecting.starts_from_disk(self.world, device))

    # --- Reads --------------------------------------------------------------------------

    @step(who=WHO, unread=st.booleans(), limit=st.integers(1, 3))
    def looks_at_the_list(self, who: int, unread: bool, limit: int) -> None:
        device = self._device(who)
        if device in self._valid:
            self._steps(reads.at_the_list(self.world, device, unread=unread, limit=limit))

    @step(
        who=WHO, where=WHERE, way=st.sampled_from(("before", "after")), at=st.integers(0, 20), limit=st.integers(1, 6)
    )
    def pages_history(self, who: int, where: int, way: str, at: int, limit: int) -> None:
        query = {way: at, "limit": limit}
        self._steps(reads.at_history(self.world, self._device(who), self._label(where), **query))

    @step(who=WHO, where=WHERE, after=st.integers(0, 20), limit=st.integers(1, 6))
    def reads_the_log(self, who: int, where: int, after: int, limit: int) -> None:
        self._steps(reads.at_events(self.world, self._device(who), self._label(where), after=after, limit=limit))

    @step(who=WHO, cursors=st.lists(st.integers(0, 20), max_size=4))
    def resumes_from_any_cursor(self, who: int, cursors: list[int]) -> None:
        labels = list(self.world.model.conversations)
        chosen = dict(zip(labels, cursors, strict=False))
        since = "2020-01-01T00:00:00Z"
        self._steps(reads.at_a_catch_up(self.world, self._device(who), chosen, since))

    @step(who=WHO, where=WHERE, which=WHICH)
    def looks_at_a_message(self, who: int, where: int, which: int) -> None:
        label, sequence, id = self._message(where, which)
        self._steps(reads.at_a_message(self.world, self._device(who), label, sequence, id))

    @step(who=WHO)
    def looks_at_the_screen(self, who: int) -> None:
        device = self._device(who)
        if device.is_connected:
            self._steps(self.world.web_agrees(device))
