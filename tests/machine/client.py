"""One device of the machine: its socket, the weather on the way, and the clients that follow its frames."""

import asyncio
from collections import Counter, deque
from typing import Any

from tests.harness.listening import Frame
from tests.harness.replica import Replica
from tests.machine.local import LocalDevice
from tests.waiting import DEADLINE

MARKS = ("message_delivered", "message_read", "conversation_read")


class MachineDevice:
    """A device with a reference client (`replica`) and a web client (by its `key`), which get the same frames."""

    def __init__(self, key: str, person: str, device: LocalDevice) -> None:
        self.key = key
        self.person = person
        self.device = device
        self.replica = Replica(device)
        self.began = False  # the clients have loaded their first state
        self.intact = True  # nothing that was meant for the clients is missing
        self.web_synced = False  # the web client has asked for what it misses
        self.kept: dict[str, Any] | None = None  # what the reference client once wrote to disk
        self.fates: deque[str] = deque()
        self.met: Counter[str] = Counter()  # fates that struck, and how often
        self.slow = 0  # so many answers over REST come after what happens next
        self.answers: list[dict[str, Any]] = []  # jobs of the web client that are under way for longer
        self._late: list[Frame] = []
        self._position = 0

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open."""
        return self.device.is_connected

    async def connects(self) -> Frame:
        """Open the socket; what was late on the old one is lost."""
        connected = await self.device.connects()
        self._position = 0
        self._late.clear()
        return connected

    async def hears(self, number: int) -> tuple[list[Frame], Frame]:
        """Wait for so many numbered frames and marks; return all that came meanwhile, and a pong that came last."""
        found: list[Frame] = []
        try:
            async with asyncio.timeout(DEADLINE):
                while sum(map(is_told, found)) < number:
                    async for frame in self.device.frames(self._position):
                        self._position += 1
                        found.append(frame)
                        if sum(map(is_told, found)) >= number:
                            break
        except TimeoutError:
            pass  # the caller sees what is missing
        pong = await self.device.asks("ping")
        rest = self.device.all_heard()[self._position :]
        self._position += len(rest)
        return [frame for frame in (*found, *rest) if frame is not pong], pong

    async def asks(self, type: str, fields: dict[str, Any]) -> list[Frame]:
        """Send a command; return all frames up to its answer, which comes last."""
        number = await self.device.says(type, **fields)
        answer = await self.device.hears(lambda frame: frame.get("id") == number, f"an answer to {type}")
        heard = self.device.all_heard()
        end = next(position for position, frame in enumerate(heard) if frame is answer) + 1
        found, self._position = heard[self._position : end], end
        return found

    def through_weather(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames as the clients get them: some are lost, some come twice, events come after later ones."""
        arrived: list[Frame] = []
        for frame in frames:
            fate = self.fates.popleft() if self.fates and is_told(frame) else "arrives"
            if fate == "lost":
                self.intact = False
                self.met["lost"] += 1
                continue
            if fate == "late" and frame["type"] not in MARKS:
                self._late.append(frame)
                continue
            self.met["late"] += len(self._late)
            self.met["twice"] += fate == "twice"
            # A mark overtakes nothing: an unread count is that of the moment.
            overtaken, self._late = self._late, []
            copies = [frame, frame] if fate == "twice" else [frame]
            arrived += [*overtaken, *copies] if frame["type"] in MARKS else [*copies, *overtaken]
        return arrived

    def take_answers(self) -> list[dict[str, Any]]:
        """Return the answers that were slow; they come now."""
        taken, self.answers = self.answers, []
        return taken

    @property
    def waits(self) -> bool:
        """Whether something is on its way for longer than the step that made it."""
        return bool(self._late)


def is_told(frame: Frame) -> bool:
    """Return whether a frame is an event or a mark, which clients keep."""
    return frame["type"] in MARKS or ("sequence" in frame and frame["type"] != "message_ack")
