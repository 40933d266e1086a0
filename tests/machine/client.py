"""One device of the machine: its socket, the faults of its network, and the clients that apply its frames."""

import asyncio
from collections import Counter, deque
from typing import Any

from tests.harness.replica import Replica
from tests.harness.socket_side import Frame
from tests.machine.local import LocalDevice
from tests.waiting import DEADLINE

RECEIPT_FRAMES = ("message_delivered", "message_read", "conversation_read")


class MachineDevice:
    """A device with a reference client (`replica`) and a web client (named by `key`), which get the same frames."""

    def __init__(self, key: str, person: str, device: LocalDevice) -> None:
        self.key = key
        self.person = person
        self.device = device
        self.replica = Replica(device)
        self.began = False  # the clients have loaded their first state
        self.intact = True  # no frame for the clients has been lost
        self.web_synced = False  # the web client has sent `sync`
        self.kept: dict[str, Any] | None = None  # the last state that the reference client saved
        self.fates: deque[str] = deque()  # what happens to the next frames: arrives, lost, twice or late
        self.met: Counter[str] = Counter()  # how often each fate happened
        self.slow = 0  # number of REST answers that will be delayed until after later frames
        self.answers: list[dict[str, Any]] = []  # delayed answers, as jobs of the web client
        self._late: list[Frame] = []
        self._position = 0

    @property
    def is_connected(self) -> bool:
        """Whether the socket is open."""
        return self.device.is_connected

    async def connects(self) -> Frame:
        """Open the socket; late frames of the old one are lost."""
        connected = await self.device.connects()
        self._position = 0
        self._late.clear()
        return connected

    async def hears(self, number: int) -> tuple[list[Frame], Frame]:
        """Wait for this number of events and receipts; return all frames until then, and a pong that came last."""
        found: list[Frame] = []
        try:
            async with asyncio.timeout(DEADLINE):
                while sum(map(is_kept, found)) < number:
                    async for frame in self.device.frames(self._position):
                        self._position += 1
                        found.append(frame)
                        if sum(map(is_kept, found)) >= number:
                            break
        except TimeoutError:
            pass  # the caller notices the missing frames
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

    def through_network(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames as the clients get them: some are lost or doubled, some events come after later ones."""
        arrived: list[Frame] = []
        for frame in frames:
            fate = self.fates.popleft() if self.fates and is_kept(frame) else "arrives"
            if fate == "lost":
                self.intact = False
                self.met["lost"] += 1
                continue
            if fate == "late" and frame["type"] not in RECEIPT_FRAMES:
                self._late.append(frame)
                continue
            self.met["late"] += len(self._late)
            self.met["twice"] += fate == "twice"
            # A receipt overtakes no event: its unread count is that of the moment.
            overtaken, self._late = self._late, []
            copies = [frame, frame] if fate == "twice" else [frame]
            arrived += [*overtaken, *copies] if frame["type"] in RECEIPT_FRAMES else [*copies, *overtaken]
        return arrived

    def take_answers(self) -> list[dict[str, Any]]:
        """Return the delayed answers, which arrive now."""
        taken, self.answers = self.answers, []
        return taken

    @property
    def waits(self) -> bool:
        """Whether a frame is late: it arrives after the step that caused it."""
        return bool(self._late)


def is_kept(frame: Frame) -> bool:
    """Return whether a frame is an event or a receipt: clients keep only these."""
    return frame["type"] in RECEIPT_FRAMES or ("sequence" in frame and frame["type"] != "message_ack")
